"use strict";
// Makes the curves of a report interactive. Without this script they are plain images.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const REACH = 60; // pixels of the image within which a curve is found

  function element(name, text, parent) {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }

  // A short line in the colour and dash of a curve.
  function sample(entry) {
    const image = document.createElementNS(SVG, "svg");
    const line = document.createElementNS(SVG, "line");
    const sizes = { width: 26, height: 10, "aria-hidden": "true" };
    for (const [key, value] of Object.entries(sizes)) image.setAttribute(key, value);
    const look = { x1: 0, x2: 26, y1: 5, y2: 5, stroke: entry.colour, "stroke-width": 2.5 };
    for (const [key, value] of Object.entries(look)) line.setAttribute(key, value);
    if (entry.dash) line.setAttribute("stroke-dasharray", entry.dash);
    image.append(line);
    return image;
  }

  function setUp(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const figures = [...root.querySelectorAll("figure.chart")];
    const controls = root.querySelector(".controls");
    const tip = element("div", "", root);
    const off = new Set();
    const buttons = new Map();
    const bottom = data.box.bottom, top = data.box.top, left = data.box.left, right = data.box.right;
    tip.className = "tip";
    tip.hidden = true;

    function showMetric(number) {
      figures.forEach((figure, other) => { figure.hidden = other !== number; });
    }

    function showPoints() {
      for (const group of root.querySelectorAll(".line")) {
        group.classList.toggle("off", off.has(Number(group.dataset.point)));
      }
      for (const [point, button] of buttons) button.setAttribute("aria-pressed", String(!off.has(point)));
    }

    function highlight(figure, point) {
      figure.classList.toggle("dim", point !== null);
      for (const group of figure.querySelectorAll(".line")) {
        group.classList.toggle("near", Number(group.dataset.point) === point);
      }
    }

    function place(chart, epoch, value) {
      const part = (epoch - chart.first) / (chart.last - chart.first || 1);
      const scale = chart.log ? Math.log : Number;
      const from = scale(chart.low), to = scale(chart.high);
      const up = (scale(chart.log ? Math.max(value, chart.low) : value) - from) / (to - from || 1);
      return [left + part * (right - left), top + (1 - Math.min(Math.max(up, 0), 1)) * (bottom - top)];
    }

    function nearest(chart, x, y) {
      let found = null;
      for (const line of chart.lines) {
        if (off.has(line.point)) continue;
        const trained = root.classList.contains("no-training") ? [] : line.train;
        const training = trained.map(([epoch, value, text]) => [epoch, value, `training ${text}`]);
        for (const [epoch, value, text] of [...line.values, ...training]) {
          const [px, py] = place(chart, epoch, value);
          const distance = Math.hypot(px - x, py - y);
          if (distance < (found ? found.distance : REACH)) {
            found = { distance, px, py, epoch, text, point: line.point };
          }
        }
      }
      return found;
    }

    function hide(figure) {
      tip.hidden = true;
      figure.querySelector(".hover").setAttribute("hidden", "");
      highlight(figure, null);
    }

    function follow(figure, chart, event) {
      const image = figure.querySelector("svg");
      const size = image.getBoundingClientRect();
      const unit = size.width / image.viewBox.baseVal.width;
      const found = nearest(chart, (event.clientX - size.left) / unit, (event.clientY - size.top) / unit);
      if (!found) { hide(figure); return; }
      const entry = data.legend[found.point];
      const mark = figure.querySelector(".hover");
      mark.removeAttribute("hidden");
      mark.querySelector("line").setAttribute("x1", found.px);
      mark.querySelector("line").setAttribute("x2", found.px);
      mark.querySelector("circle").setAttribute("cx", found.px);
      mark.querySelector("circle").setAttribute("cy", found.py);
      mark.querySelector("circle").setAttribute("fill", entry.colour);
      tip.replaceChildren();
      element("b", entry.name, tip);
      tip.append(`epoch ${found.epoch}, ${chart.metric} ${found.text}`);
      tip.hidden = false;
      const frame = root.getBoundingClientRect();
      const x = size.left - frame.left + found.px * unit;
      const y = size.top - frame.top + found.py * unit;
      tip.style.left = `${Math.max(0, Math.min(x + 14, frame.width - tip.offsetWidth))}px`;
      const above = y - tip.offsetHeight - 12;
      const room = above > size.top - frame.top;
      tip.style.top = `${room ? above : y + 16}px`;
      highlight(figure, found.point);
    }

    // The controls: which metric, whether the training part is shown, and a legend to click on.
    const label = element("label", "metric ", controls);
    const select = element("select", "", label);
    data.charts.forEach((chart, number) => { element("option", chart.metric, select).value = number; });
    select.addEventListener("change", () => showMetric(Number(select.value)));
    const training = element("label", "", controls);
    const box = element("input", "", training);
    box.type = "checkbox";
    box.checked = !root.classList.contains("no-training");
    training.append(" training part");
    box.addEventListener("change", () => root.classList.toggle("no-training", !box.checked));
    if (data.legend.length > 1) {
      const all = element("button", "show all", controls), none = element("button", "hide all", controls);
      all.type = none.type = "button";
      all.addEventListener("click", () => { off.clear(); showPoints(); });
      none.addEventListener("click", () => { data.legend.forEach((_, n) => off.add(n)); showPoints(); });
      const legend = element("div", "", controls);
      legend.className = "legend";
      data.legend.forEach((entry, point) => {
        const button = element("button", "", legend);
        button.type = "button";
        button.append(sample(entry), entry.name);
        buttons.set(point, button);
        button.addEventListener("click", () => {
          if (!off.delete(point)) off.add(point);
          showPoints();
        });
        for (const [event, shown] of [["pointerenter", point], ["focus", point], ["pointerleave", null], ["blur", null]]) {
          button.addEventListener(event, () => figures.forEach((figure) => highlight(figure, shown)));
        }
      });
    }
    root.querySelector(".charts").replaceChildren(...figures);
    figures.forEach((figure, number) => {
      const image = figure.querySelector("svg");
      for (const event of ["pointermove", "pointerdown"]) {
        image.addEventListener(event, (one) => follow(figure, data.charts[number], one));
      }
      image.addEventListener("pointerleave", () => hide(figure));
    });
    controls.hidden = false;
    showMetric(0);
    showPoints();
  }

  document.querySelectorAll(".curves").forEach(setUp);
})();
