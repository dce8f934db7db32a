"""The files of the public data sets: where they come from, their sizes and checksums.

All SHA-256 sums were published before: those of archives by TensorFlow Datasets, Keras or
torchvision's prototype data sets, those of CIFAR's files by several projects next to torchvision's
MD5 sums. Those of the unpacked files of MNIST and Fashion-MNIST were also computed from files with
the MD5 sums of earlier versions of dlcourse; docs/data.md has a table.
"""

from collections.abc import Mapping
from typing import NamedTuple

MIB = 2**20


class File(NamedTuple):
    """A file of a data set, as it lies on the disk.

    size: in bytes; a larger file is refused when an archive is unpacked.
    sha256, md5: its checksums, "" where none is published. MD5 is used only without SHA-256.
    """

    name: str
    size: int
    sha256: str = ""
    md5: str = ""


class Archive(NamedTuple):
    """A file on a server.

    name: its suffix says how it is packed: ``.zip``, ``.tar.gz``, ``.gz`` of a single file; any
        other is a file of the data set itself.
    addresses: of the server and its mirrors, tried in this order.
    size, sha256: in bytes; both are known for all.
    members: from the names in the archive to the names of files; those of a single file are "".
    unpacked: the largest number of bytes that may be unpacked, skipped members included.
    """

    name: str
    addresses: tuple[str, ...]
    size: int
    sha256: str
    members: Mapping[str, str]
    unpacked: int


class PublicSet(NamedTuple):
    """A public data set: the files that are read, and the archives that hold them.

    name: for messages. folder: of the files, inside ``data.root``.
    """

    name: str
    folder: str
    files: tuple[File, ...]
    archives: tuple[Archive, ...]

    def file(self, name: str) -> File:
        """Return the entry of a file."""
        return next(file for file in self.files if file.name == name)


def idx_set(
    name: str, servers: tuple[str, ...], zipped: Mapping[str, tuple[int, str]],
    sums: Mapping[str, str],
) -> PublicSet:  # fmt: skip
    """Return a set with the four files of MNIST, each compressed by gzip on the server.

    zipped: the size and the SHA-256 sum of each compressed file. sums: of the files in them.
    """
    sizes = {
        "train-images-idx3-ubyte": 47_040_016, "train-labels-idx1-ubyte": 60_008,
        "t10k-images-idx3-ubyte": 7_840_016, "t10k-labels-idx1-ubyte": 10_008,
    }  # fmt: skip
    files = tuple(File(file, size, sums.get(file, "")) for file, size in sizes.items())
    archives = tuple(
        Archive(
            name=f"{file}.gz",
            addresses=tuple(f"{server}{file}.gz" for server in servers),
            size=zipped[file][0],
            sha256=zipped[file][1],
            members={"": file},
            unpacked=size,
        )
        for file, size in sizes.items()
    )
    return PublicSet(name, f"{name.replace('-', '')}/raw", files, archives)


MNIST = idx_set(
    "MNIST",
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    {
        "train-images-idx3-ubyte":
            (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        "train-labels-idx1-ubyte":
            (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        "t10k-images-idx3-ubyte":
            (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        "t10k-labels-idx1-ubyte":
            (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    },
    {
        "train-images-idx3-ubyte":
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte":
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte":
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte":
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)  # fmt: skip

FASHION_MNIST = idx_set(
    "Fashion-MNIST",
    (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ),
    {
        "train-images-idx3-ubyte":
            (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        "train-labels-idx1-ubyte":
            (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        "t10k-images-idx3-ubyte":
            (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        "t10k-labels-idx1-ubyte":
            (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    },
    {
        "train-images-idx3-ubyte":
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte":
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte":
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte":
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
)  # fmt: skip

KMNIST = idx_set(
    "KMNIST",
    ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    {
        "train-images-idx3-ubyte":
            (18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        "train-labels-idx1-ubyte":
            (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        "t10k-images-idx3-ubyte":
            (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        "t10k-labels-idx1-ubyte":
            (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    },
    {},
)  # fmt: skip

EMNIST_COUNTS = {
    "balanced": (112_800, 18_800), "letters": (124_800, 20_800), "digits": (240_000, 40_000),
    "byclass": (697_932, 116_323), "bymerge": (697_932, 116_323), "mnist": (60_000, 10_000),
}  # fmt: skip
"""The numbers of training and test images of each part of EMNIST."""

EMNIST_SIZES = {
    f"emnist-{part}-{split}-{kind}-ubyte": size
    for part, counts in EMNIST_COUNTS.items()
    for split, count in zip(("train", "test"), counts, strict=True)
    for kind, size in (("images-idx3", 16 + 784 * count), ("labels-idx1", 8 + count))
}

EMNIST = PublicSet(
    "EMNIST",
    "EMNIST/raw",
    tuple(File(name, size) for name, size in EMNIST_SIZES.items()),
    (
        Archive(
            name="gzip.zip",
            addresses=("https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",),
            size=561_753_746,
            sha256="fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
            members={f"gzip/{name}.gz": name for name in EMNIST_SIZES},
            unpacked=2 * sum(EMNIST_SIZES.values()),
        ),
    ),
)

CIFAR10 = PublicSet(
    "CIFAR-10",
    "cifar-10-batches-py",
    (
        File("data_batch_1", 31_035_704,
             "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd"),
        File("data_batch_2", 31_035_320,
             "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8"),
        File("data_batch_3", 31_035_999,
             "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9"),
        File("data_batch_4", 31_035_696,
             "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b"),
        File("data_batch_5", 31_035_623,
             "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154"),
        File("test_batch", 31_035_526,
             "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831"),
        File("batches.meta", 158,
             "f962466ef690d46b226450fb9aadc74ba4bc64a76aa526b5827fe4bc5c7125cb"),
    ),
    (
        Archive(
            name="cifar-10-python.tar.gz",
            addresses=("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
            size=170_498_071,
            sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            members={f"cifar-10-batches-py/{name}": name for name in (
                "data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5",
                "test_batch", "batches.meta",
            )},
            unpacked=200 * MIB,
        ),
    ),
)  # fmt: skip

CIFAR100 = PublicSet(
    "CIFAR-100",
    "cifar-100-python",
    (
        File("train", 155_249_918,
             "735e79b04f092ca3d2e6d07f368c0a7d70d48c48d28865950cc24454cf45129b"),
        File("test", 31_049_707,
             "4b67687d9933c4db8f0831104447f15b93774f4f464bd0516f0f0f2ac83b7864"),
        File("meta", 1_473, "a5d4786345c961390f865e93b434dbd5c6904ce880667e0cb888c97d449f28b9"),
    ),
    (
        Archive(
            name="cifar-100-python.tar.gz",
            addresses=("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",),
            size=169_001_437,
            sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            members={f"cifar-100-python/{name}": name for name in ("train", "test", "meta")},
            unpacked=200 * MIB,
        ),
    ),
)  # fmt: skip

SVHN_FILES = (
    File("train_32x32.mat", 182_040_794,
         "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
    File("test_32x32.mat", 64_275_384,
         "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
    File("extra_32x32.mat", 1_329_278_602,
         "a133a4beb38a00fcdda90c9489e0c04f900b660ce8a316a5e854838379a71eb3"),
)  # fmt: skip

SVHN = PublicSet(
    "SVHN",
    "svhn",
    SVHN_FILES,
    tuple(
        Archive(
            name=file.name,
            addresses=(f"https://ufldl.stanford.edu/housenumbers/{file.name}",),
            size=file.size,
            sha256=file.sha256,
            members={"": file.name},
            unpacked=file.size,
        )
        for file in SVHN_FILES
    ),
)

STL10 = PublicSet(
    "STL-10",
    "stl10_binary",
    (
        File("train_X.bin", 138_240_000, md5="918c2871b30a85fa023e0c44e0bee87f"),
        File("train_y.bin", 5_000, md5="5a34089d4802c674881badbb80307741"),
        File("test_X.bin", 221_184_000, md5="7f263ba9f9e0b06b93213547f721ac82"),
        File("test_y.bin", 8_000, md5="36f9794fa4beb8a2c72628de14fa638e"),
        File("fold_indices.txt", MIB),
    ),
    (
        Archive(
            name="stl10_binary.tar.gz",
            addresses=(
                "https://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
                "https://cs.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
            ),
            size=2_640_397_119,
            sha256="f31fd99273a1acb8609c8db427cebb1de3f71de77758cdc0e22956e1289b9866",
            members={f"stl10_binary/{name}": name for name in (
                "train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin", "fold_indices.txt",
            )},
            unpacked=3_200 * MIB,  # 2,765 MB of images without labels are skipped
        ),
    ),
)  # fmt: skip

TINY_IMAGENET_ZIP = Archive(
    name="tiny-imagenet-200.zip",
    addresses=("https://cs231n.stanford.edu/tiny-imagenet-200.zip",),
    size=248_100_043,
    sha256="6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
    members={},  # 120,000 images; tiny_imagenet.py has the pattern of their names
    unpacked=600 * MIB,
)
