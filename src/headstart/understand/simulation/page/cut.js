// A cut through the network along one axis: every unit a dot over the pixels it belongs to, every way a line.

const GUTTER = 92; // for the names of the layers
let cutShown = null; // for whoever points at it

function visible(axis, width) {
  const n = state.size[axis];
  const around = Math.min(margin()[axis], 4) + 0.5;
  if ((width - GUTTER) / n >= 9) return [-around, n + around];
  const [from, to] = box(rows[state.layer], state.unit)[axis];
  const air = Math.max(4, 0.06 * (to - from));
  return [Math.max(from - air, -around), Math.min(to + 1 + air, n + around)];
}

const centre = (row, axis, i) => row.first[axis] + row.field[axis] / 2 + i * row.jump[axis];

function drawCut() {
  const canvas = $("cut");
  const { axis } = state;
  const count = last() + 1;
  const gap = Math.min(Math.max(300 / count, 20), 58);
  const { context, width, height } = surface(canvas, 0, Math.round(gap * (count - 1) + 116));
  const ink = colours();
  const [from, to] = visible(axis, width);
  const scale = (width - GUTTER - 8) / (to - from);
  const across = (place) => GUTTER + (place - from) * scale;
  const level = (l) => 18 + (count - 1 - l) * gap;
  cutShown = { from, scale, gap, count };
  context.save();
  context.beginPath();
  context.rect(GUTTER - 4, 0, width, height);
  context.clip();
  const { layer, unit } = looked();
  const { sets } = seen();
  const maps = ways(rows, layer, unit, [axis]);
  const reached = sets.findIndex((set) => set[axis].length); // above the image where the unit reads padding alone
  for (let l = layer; l > reached; l--) drawWays(context, ink, l, sets[l][axis], maps[l], across, level);
  for (let l = 0; l < count; l++) drawLine(context, ink, l, l <= layer ? sets[l][axis] : [], across, level(l), gap);
  drawPixels(context, ink, reached === 0 ? maps[0] : null, across, level(0), scale);
  context.restore();
  context.textAlign = "left";
  for (let l = 0; l < count; l++) {
    context.fillStyle = l === layer ? ink.ink : ink.muted;
    context.font = context.font.replace(/^(\w+ )?\d+px/, l === layer ? "600 12px" : "400 12px");
    context.fillText(rows[l].name.length > 14 ? `${rows[l].name.slice(0, 13)}…` : rows[l].name, 0, level(l) + 4);
  }
}

const MOST_LINES = 6000; // from one row to the next: beyond that there is only a surface to see

// The lines from each unit of a row to all that it reads; the more ways lead through a unit, the darker its lines. Where
// they would be too many, they are those of every second unit, every third, and so on.
function drawWays(context, ink, l, indices, map, across, level) {
  const { axis } = state;
  const most = map.values.reduce((high, value) => Math.max(high, value), 0);
  const [above, below] = [rows[l], rows[l - 1]];
  context.strokeStyle = ink.field;
  const taps = above.steps.reduce((product, { window }) => product * window.kernel[axis], 1);
  const every = Math.ceil((indices.length * Math.min(taps, below.out[axis])) / MOST_LINES);
  for (let at = 0; at < indices.length; at += every) {
    const i = indices[at];
    const share = map.values[i - map.from[axis]] / most;
    context.globalAlpha = 0.1 + 0.8 * share ** 0.8;
    context.lineWidth = 0.6 + 1.1 * share;
    context.beginPath();
    for (const t of above.steps.reduceRight((now, step) => read(now, step, axis), [i])) {
      context.moveTo(across(centre(above, axis, i)), level(l));
      context.lineTo(across(centre(below, axis, t)), level(l - 1));
    }
    context.stroke();
  }
  context.globalAlpha = 1;
}

function drawLine(context, ink, l, used, across, y, gap) {
  const { axis } = state;
  const row = rows[l];
  const step = across(row.jump[axis]) - across(0);
  const inUse = new Set(used);
  if (l === 0) return;
  if (step < 4) {
    for (const [colour, parts] of [[ink.line, [[0, row.out[axis] - 1]]], [ink.field, runs(used)]]) {
      context.fillStyle = colour;
      for (const [a, b] of parts) {
        const x = across(centre(row, axis, a) - row.jump[axis] / 2);
        context.fillRect(x, y - 2.5, Math.max(across(centre(row, axis, b) + row.jump[axis] / 2) - x, 2), 5);
      }
    }
    return;
  }
  const radius = Math.min(step * 0.34, gap * 0.2, 7);
  for (let i = 0; i < row.out[axis]; i++) {
    context.beginPath();
    context.arc(across(centre(row, axis, i)), y, radius, 0, 7);
    context.fillStyle = inUse.has(i) ? ink.field : ink.paper;
    context.fill();
    context.strokeStyle = inUse.has(i) ? ink.paper : ink.muted;
    context.lineWidth = inUse.has(i) ? 1.5 : 0.8;
    context.stroke();
  }
}

// The cut's pixels, and below each in how many ways it reaches the unit; no map where none does.
function drawPixels(context, ink, map, across, y, scale) {
  const { axis } = state;
  const { layer, unit } = looked();
  const other = 1 - axis;
  const line = Math.min(Math.max(Math.floor(centre(rows[layer], other, unit[other])), 0), state.size[other] - 1);
  const n = state.size[axis];
  const wide = axis ? [0, line, n, 1] : [line, 0, 1, n];
  const { data } = picture.getContext("2d").getImageData(...wide);
  const most = map?.values.reduce((high, value) => Math.max(high, value), 0);
  context.textAlign = "center";
  for (let i = 0; i < n; i++) {
    const x = across(i);
    context.fillStyle = `rgb(${data[4 * i]} ${data[4 * i + 1]} ${data[4 * i + 2]})`;
    context.fillRect(x, y - 8, scale + (scale < 6 ? 0.5 : -1), 16);
    const value = map?.values[i - map.from[axis]] ?? 0;
    if (!value) continue;
    const tall = Math.max((56 * value) / most, 1.5);
    context.fillStyle = ink.field;
    context.fillRect(x, y + 13, scale + (scale < 6 ? 0.5 : -1), tall);
    if (scale < 15 || most > 999) continue;
    context.fillStyle = ink.ink;
    context.fillText(number(value), x + scale / 2 - 0.5, y + 25 + tall);
  }
}

function cutAt(event) {
  const area = $("cut").getBoundingClientRect();
  const { from, scale, gap, count } = cutShown;
  const { axis } = state;
  const place = from + (event.clientX - area.left - GUTTER) / scale;
  const layer = Math.min(Math.max(count - 1 - Math.round((event.clientY - area.top - 18) / gap), 0), count - 1);
  const row = rows[layer];
  const limit = (i, a) => Math.min(Math.max(i, 0), row.out[a] - 1);
  const unit = both((a) => Math.floor(((state.unit[a] + 0.5) / rows[state.layer].out[a]) * row.out[a]));
  unit[axis] = limit(Math.round((place - centre(row, axis, 0)) / row.jump[axis]), axis);
  return event.clientX - area.left < GUTTER - 6 ? null : { layer, unit };
}

function cut() {
  pointed($("cut"), cutAt);
  for (const radio of root.querySelectorAll("[name=axis]")) radio.addEventListener("change", () => change({ axis: Number(radio.value) }, true));
  drawers.push(() => {
    for (const radio of root.querySelectorAll("[name=axis]")) radio.checked = Number(radio.value) === state.axis;
    if (state.tab === "field") drawCut();
  });
}
