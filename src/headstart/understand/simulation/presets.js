// Networks to begin with. Where a network goes on to a classifier, its last map is what matters here.

const conv = (channels, kernel, stride = 1, padding = (kernel - 1) / 2, dilation = 1) => ({ kind: "conv", channels, kernel, stride, padding, dilation });
const pool = (kind, kernel, stride = kernel, padding = 0) => ({ kind, kernel, stride, padding });
const residual = (channels, stride = 1) => ({ kind: "residual", channels, kernel: 3, stride });

const PRESETS = {
  lesson: {
    title: "The lesson’s network",
    size: [28, 28], channels: 1,
    layers: [conv(4, 3), pool("max", 2), conv(8, 3), pool("max", 2), { kind: "dense", channels: 32 }, { kind: "dense", channels: 10 }],
    start: 4,
  },
  three: { title: "Three 3×3", size: [15, 15], channels: 1, layers: [conv(8, 3), conv(8, 3), conv(8, 3)] },
  dilated: {
    title: "Dilated 1, 2, 4, 8, 16",
    size: [80, 80], channels: 1,
    layers: [1, 2, 4, 8, 16].map((d) => conv(8, 3, 1, d, d)),
  },
  lenet: {
    title: "LeNet-5",
    size: [32, 32], channels: 1,
    layers: [conv(6, 5, 1, 0), pool("avg", 2), conv(16, 5, 1, 0), pool("avg", 2), conv(120, 5, 1, 0)],
  },
  alexnet: {
    title: "AlexNet",
    size: [224, 224], channels: 3,
    layers: [conv(64, 11, 4, 2), pool("max", 3, 2), conv(192, 5), pool("max", 3, 2), conv(384, 3), conv(256, 3), conv(256, 3), pool("max", 3, 2)],
  },
  vgg16: {
    title: "VGG-16",
    size: [224, 224], channels: 3,
    layers: [[64, 2], [128, 2], [256, 3], [512, 3], [512, 3]].flatMap(([channels, depth]) => [...Array(depth).fill(conv(channels, 3)), pool("max", 2)]),
  },
  resnet18: {
    title: "ResNet-18",
    size: [224, 224], channels: 3,
    layers: [
      conv(64, 7, 2), pool("max", 3, 2, 1),
      ...[[64, 1], [128, 2], [256, 2], [512, 2]].flatMap(([channels, stride]) => [residual(channels, stride), residual(channels)]),
      { kind: "gap" }, { kind: "dense", channels: 1000 },
    ],
    start: 6,
  },
};
