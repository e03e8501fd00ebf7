// A network in other words: as the end of an address, and as PyTorch.

const LETTERS = { kernel: "k", stride: "s", padding: "p", dilation: "d" };
const MOST = { size: 1024, inputs: 256, channels: 65536, layers: 120, unit: 1e9, kernel: 64, stride: 64, padding: 64, dilation: 64 };

// One number where both axes agree: 3, else 3x5.
const pairWord = ([rows, columns]) => (rows === columns ? `${rows}` : `${rows}x${columns}`);
const safe = (name) => encodeURIComponent(name).replace(/[._~!*'()-]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

function layerWord(layer) {
  const words = [layer.kind, ...Object.entries(LETTERS).map(([key, letter]) => letter + pairWord(layer[key])), `c${layer.channels}`];
  if (layer.groups > 1) words.push(`g${layer.groups}`);
  if (layer.kind === "residual") words.push(`n${layer.count}`);
  if (layer.parameters !== undefined) words.push(`w${layer.parameters}`);
  if (layer.ceil) words.push("e1");
  if (layer.name) words.push(`t${safe(layer.name)}`);
  return words.join(".");
}

function whole(word, most, least = 0) {
  const value = /^\d+$/.test(word) ? Number(word) : NaN;
  if (!(value >= least && value <= most)) throw new RangeError(word);
  return value;
}

function pairOf(word, most, least) {
  const values = word.split("x").map((part) => whole(part, most, least));
  return values.length === 2 ? values : [values[0], values[0]];
}

function layerOf(text) {
  const [kind, ...words] = text.split(".");
  if (!KINDS.includes(kind)) throw new RangeError(kind);
  const layer = { kind };
  for (const word of words) {
    const [letter, rest] = [word[0], word.slice(1)];
    const key = Object.keys(LETTERS).find((name) => LETTERS[name] === letter);
    if (key) layer[key] = pairOf(rest, MOST[key], key === "padding" ? 0 : 1);
    else if (letter === "c") layer.channels = whole(rest, MOST.channels, 1);
    else if (letter === "g") layer.groups = whole(rest, MOST.channels, 1);
    else if (letter === "e") layer.ceil = true;
    else if (letter === "n") layer.count = whole(rest, 8, 1);
    else if (letter === "w") layer.parameters = whole(rest, 1e12);
    else if (letter === "t") layer.name = decodeURIComponent(rest).slice(0, 80);
  }
  return complete(layer);
}

// A network's own part of an address.
function networkWords({ size, channels, layers }) {
  return [`in=${channels}x${size.join("x")}`, `net=${layers.map(layerWord).join("_")}`];
}

// What a person sees, as the end of an address: `#sim&in=1x28x28&net=conv.k3…_max.k2…&at=2.0.0&…`.
function toAddress(state) {
  const { convolution: c } = state;
  return [
    "#sim",
    ...networkWords(state),
    `at=${[state.layer, ...state.unit].join(".")}`,
    `show=${state.show}`, `axis=${state.axis}`, `tab=${state.tab}`,
    `stack=${state.stack.depth}.${state.stack.channels}`,
    `by-hand=${[c.stride, c.padding, c.dilation, c.step].join("_")}`,
    `pixels=${c.image.flat().join("_")}`, `kernel=${c.kernel.flat().join("_")}`,
  ].join("&");
}

// The state of such an address, or null where it is none or says what cannot be. Its unit may lie beyond its map, as
// its layer beyond the last one: whoever shows it takes the nearest that there is.
function fromAddress(text) {
  try {
    const [head, ...parts] = text.split("&");
    if (head !== "#sim") return null;
    const said = Object.fromEntries(parts.map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]));
    const [channels, ...size] = said.in.split("x").map((word, i) => whole(word, i ? MOST.size : MOST.inputs, 1));
    const layers = said.net ? said.net.split("_").map(layerOf) : [];
    if (size.length !== 2 || layers.length > MOST.layers) return null;
    const [layer, ...unit] = said.at.split(".").map((word) => whole(word, MOST.unit)); // a map may be wider than the image
    const [depth, wide] = said.stack.split(".").map((word) => whole(word, MOST.channels, 1));
    const [stride, padding, dilation, step] = said["by-hand"].split("_").map((word) => whole(word, 1000));
    const grid = (words, n) => {
      const values = words.split("_").map(Number);
      if (values.length !== n * n || !values.every(Number.isFinite)) throw new RangeError(words);
      return Array.from({ length: n }, (_, i) => values.slice(i * n, (i + 1) * n));
    };
    if (stride < 1 || stride > 3 || padding > 2 || dilation < 1 || dilation > 2) return null;
    return {
      size, channels, layers, layer, unit: [unit[0] ?? 0, unit[1] ?? 0],
      show: ["box", "paths", "measured"].includes(said.show) ? said.show : "box",
      axis: said.axis === "0" ? 0 : 1,
      tab: ["field", "stack", "convolution"].includes(said.tab) ? said.tab : "field",
      stack: { depth: Math.min(depth, 40), channels: wide },
      convolution: { image: grid(said.pixels, 5), kernel: grid(said.kernel, 3), stride, padding, dilation, step },
    };
  } catch {
    return null;
  }
}

const tuple = (pair) => (pair[0] === pair[1] ? `${pair[0]}` : `(${pair.join(", ")})`);
const plain = (name) => name.replace(/[^\p{L}\p{N} ._/-]/gu, " ").trim();

const RESIDUAL = `class Residual(nn.Module):
    """Convolutions beside a shortcut that jumps over them."""

    def __init__(self, before, channels, kernel, stride, dilation, count):
        super().__init__()
        pair = lambda value: value if isinstance(value, tuple) else (value, value)
        padding = tuple(d * (k - 1) // 2 for k, d in zip(pair(kernel), pair(dilation)))
        layers = []
        for i in range(count):
            layers += [
                nn.Conv2d(before if i == 0 else channels, channels, kernel, stride if i == 0 else 1, padding, dilation, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            ]
        self.main = nn.Sequential(*layers[:-1])
        fits = before == channels and pair(stride) == (1, 1)
        self.shortcut = nn.Identity() if fits else nn.Sequential(
            nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, images):
        return torch.relu(self.main(images) + self.shortcut(images))


`;

// The network as PyTorch that runs as it stands: `network` maps (N, channels, rows, columns) to its last layer.
function toTorch(network) {
  const rows = table(network).filter((row) => !row.problem);
  const lines = rows.slice(1).map((row, i) => {
    const { kind, kernel, stride, padding, dilation, channels, groups, count } = row.layer;
    const before = rows[i];
    const window = `${tuple(kernel)}, stride=${tuple(stride)}, padding=${tuple(padding)}`;
    const geometry = `${window}, dilation=${tuple(dilation)}`;
    const up = row.layer.ceil ? ", ceil_mode=True" : "";
    const code = {
      conv: () => `nn.Conv2d(${before.channels}, ${channels}, ${geometry}${groups > 1 ? `, groups=${groups}` : ""}), nn.ReLU(),`,
      block: () => `nn.Conv2d(${before.channels}, ${channels}, ${geometry}),  # in the place of a block`,
      max: () => `nn.MaxPool2d(${geometry}${up}),`,
      avg: () => `nn.AvgPool2d(${window}${up}),`,
      residual: () => `Residual(${before.channels}, ${channels}, ${tuple(kernel)}, ${tuple(stride)}, ${tuple(dilation)}, ${count}),`,
      gap: () => "nn.AdaptiveAvgPool2d(1),",
      dense: () => `nn.Flatten(), nn.Linear(${before.channels * before.out[0] * before.out[1]}, ${channels}), nn.Unflatten(1, (${channels}, 1, 1)),`,
    }[kind]();
    return `    ${code}  # ${plain(row.name)}: ${row.channels}×${row.out.join("×")}, field ${pairWord(row.field)}`.replace(/  # (in the place of a block)  # /, "  # $1, ");
  });
  const block = rows.some((row) => row.layer?.kind === "residual") ? RESIDUAL : "\n";
  // Two images: batch normalisation cannot learn from one whose map is a single unit.
  return `import torch\nfrom torch import nn\n\n${block}network = nn.Sequential(\n${lines.join("\n")}\n)\nprint(network(torch.zeros(2, ${network.channels}, ${network.size.join(", ")})).shape)\n`;
}
