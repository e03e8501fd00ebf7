// A stack of 3×3 layers beside one kernel of the same field.

const sizeOf = (depth) => 2 * depth + 1;

// The ways of the middle unit, of n layers 3×3 or of one large kernel, over the field alone.
function alone(kernels) {
  const size = kernels.reduce((sum, k) => sum + k - 1, 1);
  const network = { size: [size, size], channels: 1, layers: kernels.map((kernel) => ({ kind: "conv", kernel })) };
  return paths(table(network), kernels.length, [0, 0]);
}

function drawHeat(canvas, map, most) {
  const { context, width, height } = surface(canvas, 1);
  const dots = make("canvas", { width: map.shape[1], height: map.shape[0] });
  const image = dots.getContext("2d").createImageData(map.shape[1], map.shape[0]);
  map.values.forEach((value, i) => image.data.set([...viridis(value / most), 255], 4 * i));
  dots.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(dots, 0, 0, width, height);
}

function drawProfiles(canvas, stacked, flat) {
  const { context, width, height } = surface(canvas, 0.32, 150);
  const ink = colours();
  const n = stacked.length;
  const most = Math.max(...stacked, ...flat);
  const bar = (width - 8) / n;
  const y = (value) => height - 24 - (value / most) * (height - 40);
  context.fillStyle = ink.field;
  stacked.forEach((value, i) => context.fillRect(4 + i * bar + 0.5, y(value), Math.max(bar - 1, 0.8), height - 24 - y(value)));
  context.strokeStyle = ink.other;
  context.lineWidth = 2.5;
  context.setLineDash([6, 4]);
  context.strokeRect(4, y(flat[0]), width - 8, height - 24 - y(flat[0]));
  context.setLineDash([]);
  context.fillStyle = ink.muted;
  context.textAlign = "left";
  context.fillText("edge of the field", 4, height - 6);
  context.textAlign = "right";
  context.fillText("edge of the field", width - 4, height - 6);
  context.textAlign = "center";
  if (width > 420) context.fillText("middle", width / 2, height - 6);
}

function stackView() {
  const depth = dial("layers", { least: 1, most: 40, value: state.stack.depth }, (value) => change({ stack: { ...state.stack, depth: value } }, true));
  const channels = dial("channels", { least: 1, most: 512, value: state.stack.channels }, (value) => change({ stack: { ...state.stack, channels: value } }, true));
  $("stack-dials").append(depth, channels);
  drawers.push(() => {
    if (state.tab !== "stack") return;
    const { depth: n, channels: c } = state.stack;
    depth.show(n);
    channels.show(c);
    const size = sizeOf(n);
    const maps = [alone(Array(n).fill(3)), alone([size])];
    const [stacked, flat] = maps.map((map) => spread(map, 1));
    maps.forEach((map, i) => drawHeat($(`stack-${i}`), map, Math.max(...map.values)));
    drawProfiles($("profiles"), stacked.shares, flat.shares);
    const weights = [n * (9 * c * c + c), size * size * c * c + c];
    const figures = [
      ["field", `${size}×${size}`, `${size}×${size}`],
      ["parameters", ...weights.map((w) => number(w))],
      ["nonlinearities", n, 1],
      ["spread σ of the ways, pixels", ...[stacked, flat].map(({ variance }) => number(Math.sqrt(variance), 2))],
      ["4σ as a share of the field", ...[stacked, flat].map(({ variance }) => number((4 * Math.sqrt(variance)) / size, 2))],
    ];
    $("stack-figures").replaceChildren(...figures.map(([name, one, other]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", { class: "n" }, String(one)), make("td", { class: "n" }, String(other)))));
    $("stack-name").textContent = n === 1 ? "1 layer of 3×3" : `${n} layers of 3×3`;
    $("kernel-name").textContent = `one kernel ${size}×${size}`;
    const ratio = weights[1] / weights[0];
    const cheaper = n === 1 ? "One layer is the same thing twice." : `The stack sees as far with ${number(weights[0])} parameters; the large kernel takes ${number(weights[1])}${ratio > 1 ? `, ${number(ratio, 1)} times as many` : ""}. And the stack can bend ${n} times on its way, the kernel once.`;
    const crowded = n === 1 ? "" : " But not every pixel counts alike: in the large kernel each pixel has one way to the unit, in the stack the middle has most.";
    $("stack-said").textContent = cheaper + crowded;
  });
}
