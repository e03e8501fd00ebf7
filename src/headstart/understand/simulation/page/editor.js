// The chosen layer's numbers, each by slider and by number box, for both axes at once or each by itself.

const LIMITS = { kernel: [1, 15], stride: [1, 8], padding: [0, 15], dilation: [1, 16] };
const HINTS = {
  kernel: "how many units it reads along an axis",
  stride: "how far it steps",
  padding: "rows and columns of zeros around its input",
  dilation: "how far apart what it reads lies",
};
const USES = {
  conv: ["kernel", "stride", "padding", "dilation"],
  max: ["kernel", "stride", "padding", "dilation"],
  avg: ["kernel", "stride", "padding"],
  residual: ["kernel", "stride", "dilation"],
  block: ["kernel", "stride", "padding"],
  gap: [],
  dense: [],
};
let apart = false; // the axes of the chosen layer, by wish

function dials(index) {
  const layer = complete(state.layers[index]);
  const made = [];
  const now = () => state.layers[index];
  const add = (label, limits, key, value, changed, step = 1) => {
    const element = dial(label, { least: limits[0], most: Math.max(limits[1], value), value, step, hint: HINTS[key] ?? "" }, changed);
    made.push(element);
    return element;
  };
  const shows = [];
  for (const key of USES[layer.kind]) {
    const step = layer.kind === "residual" && key === "kernel" ? 2 : 1;
    const axes = apart ? [[0, `${key}, down`], [1, `${key}, across`]] : [[null, key]];
    for (const [axis, label] of axes) {
      const element = add(label, LIMITS[key], key, layer[key][axis ?? 0], (value) => {
        edit(index, { [key]: axis === null ? [value, value] : both((a) => (a === axis ? value : now()[key][a])) });
      }, step);
      shows.push(() => element.show(now()[key][axis ?? 0]));
    }
  }
  if (layer.kind === "residual") {
    const element = add("convolutions", [1, 4], "count", layer.count, (count) => edit(index, { count }));
    shows.push(() => element.show(now().count));
  }
  if (!["max", "avg", "gap"].includes(layer.kind)) {
    const element = add("channels", [1, 512], "channels", layer.channels, (channels) => edit(index, { channels, ...(layer.groups > 1 ? { groups: 1 } : {}) }));
    shows.push(() => element.show(now().channels));
  }
  return { made, show: () => shows.forEach((show) => show()) };
}

function imageDials() {
  const limits = { least: 1, most: MOST.size };
  const resized = (update) => change({ ...update, keeps: null });
  const made = apart
    ? both((a) => dial(a ? "columns" : "rows", { ...limits, value: state.size[a] }, (value) => resized({ size: both((b) => (b === a ? value : state.size[b])) })))
    : [dial("size", { ...limits, value: state.size[0] }, (value) => resized({ size: [value, value] }))];
  made.push(dial("channels", { least: 1, most: MOST.inputs, value: state.channels }, (channels) => resized({ channels })));
  const values = () => [...(apart ? state.size : [state.size[0]]), state.channels];
  return { made, show: () => values().forEach((value, i) => made[i].show(value)) };
}

function editor() {
  let built = { key: "" };
  const differs = (index) => (index < 0 ? state.size[0] !== state.size[1] : Object.keys(LIMITS).some((key) => state.layers[index][key][0] !== state.layers[index][key][1]));
  $("apart").addEventListener("change", () => {
    apart = $("apart").checked;
    redraw();
  });
  drawers.push(() => {
    if (state.tab !== "field") return;
    const index = state.layer - 1;
    if (differs(index)) apart = true;
    const kind = index < 0 ? "image" : state.layers[index].kind;
    const key = [state.layer, kind, apart, origin === null ? "" : origin].join();
    $("apart").checked = apart;
    $("apart").disabled = differs(index);
    $("apart-row").hidden = ["gap", "dense"].includes(kind);
    $("editor-name").textContent = rows[state.layer].name;
    if (built.key.split(",").slice(0, 3).join() !== key.split(",").slice(0, 3).join() || (origin !== null && built.key !== key)) {
      built = { key, ...(index < 0 ? imageDials() : dials(index)) };
      $("dials").replaceChildren(...built.made);
    }
    built.key = key;
    built.show();
    $("refused").textContent = refused && `Left as it was: ${refused}.`;
  });
}
