// Receptive fields of a stack of layers: plain arithmetic, without a page.
//
// A network is { size: [rows, columns], channels, layers }. A layer is { kind, kernel, stride, padding, dilation,
// channels }, the four middle ones a number for each axis [rows, columns]. Kinds:
//   conv      convolution (groups: 1 unless given)
//   max, avg  pooling (ceil: a last window may hang over the edge)
//   residual  `count` convolutions beside a shortcut that jumps over them; padded so that only the stride shrinks
//   gap       global average pooling
//   dense     fully connected, to `channels` numbers
//   block     layers that are not drawn one by one; their outermost window is known, the paths within are not
//
// Units and pixels are counted from 0. A unit's field is computed for each axis by itself:
//   field = field before + (kernel − 1) · dilation · jump before
//   jump  = jump before · stride
//   first = first before − padding · jump before        (where the field of unit 0 begins; below 0 lies padding)
// after Araujo, Norris, Sim: "Computing Receptive Fields of Convolutional Neural Networks" (Distill, 2019), section 2.

const KINDS = ["conv", "max", "avg", "residual", "gap", "dense", "block"];
const SHORT = { conv: "conv", max: "pool", avg: "pool", residual: "residual", gap: "GAP", dense: "dense", block: "block" };
const WIDEST = 2048; // units of a map along an axis: a wider one, which only padding makes, is a mistake
const MOST_WORK = 1e8; // additions that counting the ways to a unit may take: about a third of a second
const both = (make) => [make(0), make(1)];

// A layer with what is not said of it: kernel 3 (pooling 2), stride 1 (pooling its kernel), no padding, no dilation.
function complete(layer) {
  const pair = (value, otherwise) => (value === undefined ? otherwise : Array.isArray(value) ? [...value] : [value, value]);
  const pool = layer.kind === "max" || layer.kind === "avg";
  const kernel = pair(layer.kernel, pool ? [2, 2] : [3, 3]);
  return {
    ...layer,
    kernel,
    stride: pair(layer.stride, pool ? [...kernel] : [1, 1]),
    padding: pair(layer.padding, [0, 0]),
    dilation: layer.kind === "avg" ? [1, 1] : pair(layer.dilation, [1, 1]), // PyTorch's average pools have none
    channels: layer.channels ?? 8,
    ...(layer.kind === "residual" ? { count: layer.count ?? 2 } : {}),
  };
}

// The windows that a layer slides over its input of this size, one after another.
function windows(layer, size) {
  const { kind, kernel, stride, padding, dilation, ceil } = layer;
  // Averaging a whole map, or weighing all of it, is a window as large as the map: the same formula gives the field.
  if (kind === "gap" || kind === "dense") return [{ kernel: size, stride: size, padding: [0, 0], dilation: [1, 1] }];
  if (kind !== "residual") return [{ kernel, stride, padding, dilation, ceil }];
  const same = both((a) => (dilation[a] * (kernel[a] - 1)) / 2);
  return Array.from({ length: layer.count }, (_, i) => ({ kernel, stride: i ? [1, 1] : stride, padding: same, dilation }));
}

// How many places a window has along an axis. With `ceil` a last one may hang over, but not begin in the padding.
function places(n, { kernel, stride, padding, dilation, ceil }, a) {
  const steps = (n + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1) / stride[a];
  if (!ceil) return Math.floor(steps) + 1;
  return Math.ceil(steps) + (Math.ceil(steps) * stride[a] >= n + padding[a] ? 0 : 1);
}

function slid(before, window) {
  const { kernel, stride, padding, dilation } = window;
  return {
    out: both((a) => places(before.out[a], window, a)),
    field: both((a) => before.field[a] + (kernel[a] - 1) * dilation[a] * before.jump[a]),
    jump: both((a) => before.jump[a] * stride[a]),
    first: both((a) => before.first[a] - padding[a] * before.jump[a]),
  };
}

// Weights, biases and, in a residual block, two numbers of batch normalisation for each channel.
function parameters(layer, before) {
  const { kind, kernel, channels } = layer;
  if (layer.parameters !== undefined) return layer.parameters;
  const area = kernel[0] * kernel[1];
  if (kind === "conv") return channels * ((before.channels / (layer.groups ?? 1)) * area + 1);
  if (kind === "dense") return channels * (before.channels * before.out[0] * before.out[1] + 1);
  if (kind !== "residual") return 0;
  const main = before.channels * channels * area + (layer.count - 1) * channels * channels * area + layer.count * 2 * channels;
  return main + (projects(layer, before.channels) ? before.channels * channels + 2 * channels : 0);
}

// Whether a block's shortcut is a 1×1 convolution, because what it adds would not fit else.
function projects(layer, channels) {
  return layer.stride[0] > 1 || layer.stride[1] > 1 || channels !== layer.channels;
}

// Why a layer cannot stand here, or nothing.
function problem(layer, before, out) {
  const pool = layer.kind === "max" || layer.kind === "avg";
  if (pool && both((a) => layer.padding[a] * 2 > layer.kernel[a]).some(Boolean)) return "padding may be at most half of a pool's kernel";
  if (layer.kind === "residual" && layer.kernel.some((k) => k % 2 === 0)) return "a residual block takes an odd kernel";
  if (layer.kind === "conv" && (before.channels % (layer.groups ?? 1) || layer.channels % (layer.groups ?? 1))) return "its groups do not divide its channels";
  if (out.some((n) => n < 1)) return `the window does not fit: its input is ${before.out.join("×")}`;
  if (out.some((n) => n > WIDEST)) return `its map would be ${out.join("×")}, wider than the ${WIDEST} that are drawn`;
  return "";
}

function after(before, layer, name) {
  if (before.problem) return { ...before, layer, name, problem: "the layer before it gives nothing" };
  const steps = [];
  let now = before;
  for (const window of windows(layer, before.out)) {
    const next = slid(now, window);
    steps.push({ window, size: now.out });
    now = next;
  }
  const kept = ["max", "avg", "gap"].includes(layer.kind);
  const { out, field, jump, first } = now;
  return {
    name, layer, steps, out, field, jump, first,
    channels: kept ? before.channels : layer.channels,
    shortcut: layer.kind === "residual" ? layer.stride : null,
    parameters: parameters(layer, before),
    problem: problem(layer, before, out),
  };
}

// A row for the image (row 0) and one for each layer: { name, layer, steps, out, channels, field, jump, first,
// shortcut, parameters, problem }. A layer that cannot stand where it is has a problem, and so have all after it.
function table({ size, channels, layers }) {
  const rows = [{ name: "image", layer: null, steps: [], out: size, channels, field: [1, 1], jump: [1, 1], first: [0, 0], shortcut: null, parameters: 0, problem: "" }];
  const counted = {};
  for (const given of layers) {
    const layer = complete(given);
    const word = SHORT[layer.kind];
    counted[word] = (counted[word] ?? 0) + 1;
    rows.push(after(rows.at(-1), layer, layer.name || `${word} ${counted[word]}`));
  }
  return rows;
}

// The field of a unit as [from, to] for each axis, both inclusive, as the formula has it: padding counts.
function box(row, unit) {
  return both((a) => {
    const from = row.first[a] + unit[a] * row.jump[a];
    return [from, from + row.field[a] - 1];
  });
}

// Of one axis: the inputs that these outputs read, both ascending, padding left out. Each window opens where it begins
// and closes behind its last tap, counted in steps of the dilation: so the kernel's size costs nothing.
function read(indices, { window, size }, axis) {
  if (!indices.length) return [];
  const [stride, padding, step] = [window.stride[axis], window.padding[axis], window.dilation[axis]];
  const start = indices[0] * stride - padding;
  const reach = window.kernel[axis] * step;
  const open = new Int32Array((indices.at(-1) - indices[0]) * stride + reach + 1);
  for (const i of indices) {
    open[(i - indices[0]) * stride]++;
    open[(i - indices[0]) * stride + reach]--;
  }
  const seen = [];
  open.forEach((_, t) => {
    if (t >= step) open[t] += open[t - step];
    if (open[t] && start + t >= 0 && start + t < size[axis]) seen.push(start + t);
  });
  return seen;
}

// What a unit of a layer sees in every layer before it and in the image: for each row up to its own, the indices of
// each axis. It sees exactly the units (y, x) with y in the first list and x in the second: a shortcut adds none,
// since it reads what the middle of the window beside it reads. Where one axis has nothing but padding, both lists are
// empty.
function trace(rows, layer, unit) {
  const sets = Array(layer + 1);
  sets[layer] = both((a) => [unit[a]]);
  for (let l = layer; l > 0; l--) {
    const lists = both((a) => rows[l].steps.reduceRight((indices, step) => read(indices, step, a), sets[l][a]));
    sets[l - 1] = lists.every((indices) => indices.length) ? lists : [[], []];
  }
  return sets;
}

// Of a map { from: [y, x], shape: [h, w], values }: each value handed on to all that its window reads along one axis.
function handed(map, { kernel, stride, padding, dilation }, size, axis) {
  const length = map.shape[axis];
  const low = Math.max(0, map.from[axis] * stride[axis] - padding[axis]);
  const high = Math.min(size[axis] - 1, (map.from[axis] + length - 1) * stride[axis] - padding[axis] + (kernel[axis] - 1) * dilation[axis]);
  const from = both((a) => (a === axis ? low : map.from[a]));
  const shape = both((a) => (a === axis ? Math.max(0, high - low + 1) : map.shape[a]));
  const values = new Float64Array(shape[0] * shape[1]);
  const lines = map.shape[1 - axis];
  for (let o = 0; o < length; o++) {
    for (let m = 0; m < kernel[axis]; m++) {
      const t = (map.from[axis] + o) * stride[axis] - padding[axis] + m * dilation[axis] - low;
      if (t < 0 || t >= shape[axis]) continue;
      for (let line = 0; line < lines; line++) {
        if (axis) values[line * shape[1] + t] += map.values[line * map.shape[1] + o];
        else values[t * shape[1] + line] += map.values[o * map.shape[1] + line];
      }
    }
  }
  return { from, shape, values };
}

function added(one, other) {
  const from = both((a) => Math.min(one.from[a], other.from[a]));
  const shape = both((a) => Math.max(one.from[a] + one.shape[a], other.from[a] + other.shape[a]) - from[a]);
  const values = new Float64Array(shape[0] * shape[1]);
  for (const map of [one, other]) {
    for (let y = 0; y < map.shape[0]; y++) {
      const start = (y + map.from[0] - from[0]) * shape[1] + map.from[1] - from[1];
      for (let x = 0; x < map.shape[1]; x++) values[start + x] += map.values[y * map.shape[1] + x];
    }
  }
  return { from, shape, values };
}

// In how many ways each unit before it, and each pixel, reaches a unit: one way for each choice of taps through the
// layers, which is what the gradient would be were all weights 1 and nothing cut off. For each row up to the unit's own
// a map { from, shape, values }; with one axis alone, the ways within that cut. Counts beyond 1e100 are scaled.
function ways(rows, layer, unit, axes = [0, 1]) {
  const maps = Array(layer + 1);
  maps[layer] = { from: both((a) => (axes.includes(a) ? unit[a] : 0)), shape: [1, 1], values: Float64Array.of(1) };
  const through = (start, window, size) => axes.reduce((now, axis) => handed(now, window, size, axis), start);
  for (let l = layer; l > 0; l--) {
    const { steps, shortcut } = rows[l];
    let map = steps.reduceRight((now, { window, size }) => through(now, window, size), maps[l]);
    if (shortcut) {
      const tap = { kernel: [1, 1], stride: shortcut, padding: [0, 0], dilation: [1, 1] };
      map = added(map, through(maps[l], tap, steps[0].size));
    }
    const most = map.values.reduce((high, value) => Math.max(high, value), 0);
    if (most > 1e100) map.values = map.values.map((value) => value / most);
    maps[l - 1] = map;
  }
  return maps;
}

// How many additions `paths` takes for a unit of a layer, at most.
function work(rows, layer) {
  let [total, span] = [0, [1, 1]];
  for (const { steps } of rows.slice(1, layer + 1).reverse()) {
    for (const { window: { kernel, stride, dilation }, size } of [...steps].reverse()) {
      const wide = both((a) => Math.min(size[a], (span[a] - 1) * stride[a] + (kernel[a] - 1) * dilation[a] + 1));
      total += span[0] * kernel[0] * span[1] + wide[0] * span[1] * kernel[1];
      span = wide;
    }
  }
  return total;
}

// The ways from the image to a unit.
function paths(rows, layer, unit, axes) {
  return ways(rows, layer, unit, axes)[0];
}

// Of a map: the sums along the other axis, as shares of 1; their mean (in pixels) and variance (in pixels²).
function spread(map, axis) {
  const profile = new Float64Array(map.shape[axis]);
  map.values.forEach((value, i) => (profile[axis ? i % map.shape[1] : Math.floor(i / map.shape[1])] += value));
  const total = profile.reduce((sum, value) => sum + value, 0);
  const shares = Array.from(profile, (value) => value / total);
  const mean = shares.reduce((sum, share, i) => sum + share * (map.from[axis] + i), 0);
  const variance = shares.reduce((sum, share, i) => sum + share * (map.from[axis] + i - mean) ** 2, 0);
  return { shares, mean, variance };
}

// The middle unit of a layer, the lower right one of two.
function middle(row) {
  return both((a) => Math.floor(row.out[a] / 2));
}

// A convolution by hand, as deep learning has it (the kernel is not turned over): for each place of the window, row by
// row, its nine products and their sum. Image and kernel are lists of rows; what lies outside the image is 0.
function convolve(image, kernel, { stride = 1, padding = 0, dilation = 1 } = {}) {
  const reach = (n, k) => Math.floor((n + 2 * padding - dilation * (k - 1) - 1) / stride) + 1;
  const height = Math.max(0, reach(image.length, kernel.length));
  const width = Math.max(0, reach(image[0].length, kernel[0].length));
  const places = [];
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      const products = kernel.flatMap((row, m) =>
        row.map((weight, n) => {
          const at = [i * stride - padding + m * dilation, j * stride - padding + n * dilation];
          const pixel = image[at[0]]?.[at[1]];
          return { at, tap: [m, n], weight, pixel: pixel ?? 0, outside: pixel === undefined, product: weight * (pixel ?? 0) + 0 };
        }),
      );
      places.push({ at: [i, j], products, sum: products.reduce((sum, { product }) => sum + product, 0) });
    }
  }
  const output = Array.from({ length: height }, (_, i) => places.slice(i * width, (i + 1) * width).map(({ sum }) => sum));
  return { output, places };
}
