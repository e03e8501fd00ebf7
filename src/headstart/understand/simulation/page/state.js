// What a person has before them, and who is told when it changes.

const WHITE_SQUARE = [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]];
const SOBEL = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]];

const state = {
  tab: "field",
  size: [28, 28], channels: 1, layers: [],
  layer: 0, unit: [0, 0], // the pinned unit
  show: "box", // or "paths", "measured"
  axis: 1, // of the cut: 0 along a column of pixels, 1 along a row
  stack: { depth: 3, channels: 64 },
  convolution: { image: WHITE_SQUARE, kernel: SOBEL, stride: 1, padding: 0, dilation: 1, step: 0 },
};

let rows = []; // the table of the network
let hovered = null; // { layer, unit } under the pointer, for as long as it is there
let was = null; // the table before a change that a person is to compare
let refused = ""; // why the last edit was not taken
let origin = null; // the preset that the network still is
const drawers = [];
let waiting = 0;

const last = () => rows.findLastIndex((row) => !row.problem);
const looked = () => hovered ?? state;

// Changes what is given; the unit stays within its map. `quiet`: nothing is said to those who listen.
function change(update, quiet = false) {
  Object.assign(state, update);
  if ("layers" in update || "size" in update || "channels" in update) {
    rows = table(state);
    if (update.keeps !== origin) origin = update.keeps ?? null;
  }
  delete state.keeps;
  refused = "";
  hovered = null;
  state.layer = Math.min(Math.max(state.layer, 0), last());
  state.unit = both((a) => Math.min(Math.max(state.unit[a], 0), rows[state.layer].out[a] - 1));
  redraw();
  if (!quiet) say();
}

function hover(found) {
  hovered = found;
  redraw();
}

function redraw() {
  waiting ||= requestAnimationFrame(() => {
    waiting = 0;
    for (const draw of drawers) draw();
  });
}

// The layer's middle unit, or where the same share of the map lies.
function chooseLayer(layer) {
  const to = Math.min(Math.max(layer, 0), last());
  const share = both((a) => (state.unit[a] + 0.5) / rows[state.layer].out[a]);
  change({ layer: to, unit: both((a) => Math.floor(share[a] * rows[to].out[a])) });
}

// What an address says; a network that is still the page's own keeps what was measured of it.
function follow(said, quiet) {
  const own = PRESETS.own && `${networkWords(said)}` === `${networkWords({ ...PRESETS.own, layers: PRESETS.own.layers.map(complete) })}`;
  const show = own || said.show !== "measured" ? said.show : "box"; // of another network nothing was measured
  change({ ...said, show, keeps: own ? "own" : null }, quiet);
}

function load(name) {
  const preset = PRESETS[name];
  const layers = preset.layers.map(complete);
  const at = preset.start ?? layers.length;
  was = null;
  change({ size: [...preset.size], channels: preset.channels, layers, layer: at, unit: [0, 0], keeps: name });
  change({ unit: middle(rows[state.layer]) });
}

// A layer that would no longer fit where it stands stays as it is: else it could not be chosen, nor mended.
function edit(index, update) {
  const layers = state.layers.map((layer, i) => (i === index ? edited(layer, update) : layer));
  const { problem } = table({ ...state, layers })[index + 1];
  if (!problem) return change({ layers });
  refused = problem;
  redraw();
}

// A count that was given for a layer holds no longer once the layer is another.
function edited(layer, update) {
  const { parameters: _, ...rest } = layer;
  return { ...rest, ...update };
}
