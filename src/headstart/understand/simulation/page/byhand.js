// A convolution by hand: an image and a kernel to write in, and the window that goes over them.

const IMAGES = {
  "white square": WHITE_SQUARE,
  edge: Array(5).fill([0, 0, 1, 1, 1]),
  diagonal: [0, 1, 2, 3, 4].map((i) => [0, 1, 2, 3, 4].map((j) => Number(i === j))),
  dot: [0, 1, 2, 3, 4].map((i) => [0, 1, 2, 3, 4].map((j) => Number(i === 2 && j === 2))),
};
const KERNELS = {
  "Sobel, vertical edges": SOBEL,
  "Sobel, horizontal edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
  blur: Array(3).fill([1, 1, 1]),
  sharpen: [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
  "leave as it is": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
};

const short = (value) => number(Math.round(value * 100) / 100, Number.isInteger(Math.round(value * 100) / 100) ? 0 : 1);
const signed = (value) => (value < 0 ? `(${short(value)})` : short(value));
const byHand = (update) => change({ convolution: { ...state.convolution, ...update } }, true);

// A table of number boxes for a list of rows; `changed` gets the list with the new number in it.
function grid(body, n, label, now, changed) {
  const boxes = [];
  for (let i = 0; i < n; i++) {
    const line = make("tr");
    for (let j = 0; j < n; j++) {
      const box = make("input", { type: "number", step: "any", "aria-label": `${label}, row ${i}, column ${j}` });
      box.addEventListener("input", () => {
        const value = Number(box.value);
        if (box.value !== "" && Number.isFinite(value)) changed(now().map((row, y) => row.map((old, x) => (y === i && x === j ? value : old))));
      });
      boxes.push(box);
      line.append(make("td", {}, box));
    }
    body.append(line);
  }
  return boxes;
}

function shade(value, most) {
  const share = most ? Math.min(Math.abs(value) / most, 1) : 0;
  return `--tint:var(${value < 0 ? "--arm-0" : "--arm-1"});--share:${(share * 0.75).toFixed(3)}`;
}

// Black to white, as an image is.
function grey(share) {
  const light = Math.min(Math.max(share, 0), 1);
  return `background:hsl(0 0% ${10 + 88 * light}%);color:${light > 0.5 ? "#000" : "#fff"}`;
}

const greatest = (values) => values.flat().reduce((most, value) => Math.max(most, Math.abs(value)), 0);

// The image in its padding, the window's pixels marked.
function showImage(boxes, padded, place) {
  const { image, padding } = state.convolution;
  const under = new Map(place ? place.products.map((product) => [`${product.at}`, product]) : []);
  const most = greatest(image);
  boxes.forEach((box, i) => {
    const [y, x] = [Math.floor(i / 5), i % 5];
    if (root.activeElement !== box) box.value = image[y][x];
    box.parentElement.style = grey(image[y][x] / (most || 1));
    box.parentElement.classList.toggle("under", under.has(`${[y, x]}`));
  });
  padded.forEach(({ cell, at }) => {
    cell.hidden = !at.every((t) => t >= -padding && t < 5 + padding);
    cell.classList.toggle("under", under.has(`${at}`));
  });
}

// Cells of zeros around the table of the image, two deep, of which `padding` are shown.
function surround(body) {
  const zeros = [];
  const zero = (y, x) => {
    const cell = make("td", { class: "zero" }, "0");
    zeros.push({ cell, at: [y, x] });
    return cell;
  };
  [...body.rows].forEach((line, y) => {
    line.prepend(zero(y, -2), zero(y, -1));
    line.append(zero(y, 5), zero(y, 6));
  });
  const outer = (y) => make("tr", {}, ...Array.from({ length: 9 }, (_, x) => zero(y, x - 2)));
  body.prepend(outer(-2), outer(-1));
  body.append(outer(5), outer(6));
  return zeros;
}

function showOutput(result, step) {
  const most = greatest(result.output);
  const width = result.output[0]?.length ?? 0;
  $("output").replaceChildren(...result.output.map((row, i) => make("tr", {}, ...row.map((value, j) => {
    const at = i * width + j;
    const button = make("button", { type: "button", "data-key": `out${at}`, "aria-label": `result, row ${i}, column ${j}: ${short(value)}`, onclick: () => byHand({ step: at }) }, at <= step ? short(value) : "·");
    return make("td", { class: at === step ? "under" : "", style: at <= step ? shade(value, most) : "" }, button);
  }))));
}

function showProducts(place) {
  $("products").replaceChildren(...[0, 1, 2].map((m) => make("tr", {}, ...[0, 1, 2].map((n) => {
    const { pixel, weight, product, outside } = place.products[3 * m + n];
    return make("td", { class: product ? "" : "nothing-added" }, `${outside ? "0" : short(pixel)} · ${signed(weight)}`, make("strong", {}, `= ${short(product)}`));
  }))));
  const terms = place.products.map(({ product }) => signed(product)).join(" + ");
  $("sum").replaceChildren(`${terms} = `, make("strong", {}, short(place.sum)));
}

function convolutionView() {
  const imageBoxes = grid($("image"), 5, "image", () => state.convolution.image, (image) => byHand({ image }));
  const kernelBoxes = grid($("kernel"), 3, "kernel", () => state.convolution.kernel, (kernel) => byHand({ kernel }));
  const padded = surround($("image"));
  for (const [id, given, key] of [["images", IMAGES, "image"], ["kernels", KERNELS, "kernel"]]) {
    for (const [name, value] of Object.entries(given)) $(id).append(make("button", { type: "button", onclick: () => byHand({ [key]: value, step: 0 }) }, name));
  }
  const settings = [["stride", 1, 3], ["padding", 0, 2], ["dilation", 1, 2]].map(([key, least, most]) => [key, dial(key, { least, most, value: least }, (value) => byHand({ [key]: value, step: 0 }))]);
  $("hand-dials").append(...settings.map(([, element]) => element));
  const places = () => convolve(state.convolution.image, state.convolution.kernel, state.convolution).places.length;
  const at = dial("window", { least: 1, most: 9, value: 1 }, (value) => byHand({ step: value - 1 }));
  $("hand-step").append(at);
  const forward = (around) => {
    const next = state.convolution.step + 1;
    if (next >= places() && !around) return false;
    byHand({ step: next % places() });
    return next < places() || around;
  };
  const stop = player($("hand-play"), { play: "▶ Play", stop: "❚❚ Stop", once: "Next window" }, forward, 1000);
  $("hand-back").addEventListener("click", () => (stop(), byHand({ step: Math.max(state.convolution.step - 1, 0) })));
  $("hand-next").addEventListener("click", () => (stop(), byHand({ step: Math.min(state.convolution.step + 1, places() - 1) })));
  drawers.push(() => {
    if (state.tab !== "convolution") return stop();
    const { image, kernel, step } = state.convolution;
    const result = convolve(image, kernel, state.convolution);
    const now = Math.min(step, result.places.length - 1);
    const place = result.places[now];
    showImage(imageBoxes, padded, place);
    const most = greatest(kernel);
    kernelBoxes.forEach((box, i) => {
      const value = kernel[Math.floor(i / 3)][i % 3];
      if (root.activeElement !== box) box.value = value;
      box.parentElement.style = shade(value, most);
    });
    settings.forEach(([key, element]) => element.show(state.convolution[key]));
    for (const input of at.querySelectorAll("input")) input.max = result.places.length;
    at.show(now + 1);
    const held = root.activeElement?.dataset?.key;
    showOutput(result, now);
    if (held?.startsWith("out")) $("output").querySelector(`[data-key=${held}]`)?.focus();
    showProducts(place);
    const [i, j] = place.at;
    $("hand-said").textContent = `Window ${now + 1} of ${result.places.length}: result row ${i}, column ${j} is ${short(place.sum)}. The whole result is ${result.output.length}×${result.output[0].length}.`;
  });
}
