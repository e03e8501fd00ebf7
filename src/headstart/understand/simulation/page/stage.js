// The image with the field on it, and the map of the layer from which a unit is picked.

// What a unit sees, kept until another is looked at; the ways to each pixel only where somebody asks for them
// and they are not too many to count (then null).
let known = { key: "" };
function seen() {
  const { layer, unit } = looked();
  const key = JSON.stringify([layer, unit]);
  if (known.key !== key || known.rows !== rows) {
    let map = null;
    const few = work(rows, layer) <= MOST_WORK;
    known = { key, rows, sets: trace(rows, layer, unit), map: () => (few ? (map ??= paths(rows, layer, unit)) : null) };
  }
  return known;
}

// The map that was measured of a layer, where there is one and the network is still one's own.
function measured(layer) {
  return origin === "own" ? given.measured[layer] : undefined;
}

const overlay = make("canvas");

// What covers the image, a dot for each pixel: a veil over what the unit does not see, and the heat where it is asked.
function cover() {
  const [height, width] = state.size;
  Object.assign(overlay, { width, height });
  const context = overlay.getContext("2d");
  const dots = context.createImageData(width, height);
  const veil = rgb(colours().paper);
  const { sets, map: ask } = seen();
  const inside = both((a) => new Set(sets[0][a]));
  const map = state.show === "paths" ? ask() : null;
  const most = map?.values.reduce((high, value) => Math.max(high, value), 0);
  const heat = state.show === "measured" && measured(looked().layer);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const sees = inside[0].has(y) && inside[1].has(x);
      let [colour, opacity] = [veil, sees ? 0 : 0.78];
      if (heat) {
        const value = heat.values[Math.floor((y * heat.height) / height) * heat.width + Math.floor((x * heat.width) / width)] / 255;
        [colour, opacity] = [viridis(value), 0.85];
      } else if (sees && map) {
        const value = map.values[(y - map.from[0]) * map.shape[1] + x - map.from[1]] / most;
        [colour, opacity] = [viridis(value), 0.88];
      }
      const at = 4 * (y * width + x);
      [dots.data[at], dots.data[at + 1], dots.data[at + 2]] = colour;
      dots.data[at + 3] = 255 * opacity;
    }
  }
  context.putImageData(dots, 0, 0);
  return overlay;
}

// How far around the image padding is shown, in pixels of the image.
function margin() {
  return both((a) => {
    const reach = rows.slice(0, last() + 1).reduce((most, row) => Math.max(most, -row.first[a]), 0);
    return Math.min(reach, Math.ceil(state.size[a] * 0.12));
  });
}

function hatch(context, x, y, width, height, colour) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.beginPath();
  for (let t = -height; t < width; t += 6) {
    context.moveTo(x + t, y + height);
    context.lineTo(x + t + height, y);
  }
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.stroke();
  context.restore();
}

function lattice(context, left, top, cell, [high, wide], colour) {
  if (Math.min(...cell) < 5) return;
  context.beginPath();
  for (let x = 0; x <= wide; x++) {
    context.moveTo(left + x * cell[1], top);
    context.lineTo(left + x * cell[1], top + high * cell[0]);
  }
  for (let y = 0; y <= high; y++) {
    context.moveTo(left, top + y * cell[0]);
    context.lineTo(left + wide * cell[1], top + y * cell[0]);
  }
  context.strokeStyle = colour;
  context.globalAlpha = 0.6;
  context.lineWidth = 0.5;
  context.stroke();
  context.globalAlpha = 1;
}

function outlined(context, x, y, width, height, ink, halo) {
  context.lineJoin = "miter";
  for (const [colour, thick] of [[halo, 5], [ink, 2.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.strokeRect(x, y, width, height);
  }
}

// How high a drawing is for its width: what is very long or very wide must not push all else off the screen.
const drawnRatio = (high, wide) => Math.min(Math.max(high / wide, 0.3), 1.4);

function drawSeen() {
  const around = margin();
  const [high, wide] = both((a) => state.size[a] + 2 * around[a]);
  const { context, width, height } = surface($("seen"), drawnRatio(high, wide));
  const ink = colours();
  const scale = [height / high, width / wide];
  const [top, left] = both((a) => around[a] * scale[a]);
  if (around[0] || around[1]) hatch(context, 0, 0, width, height, ink.line);
  context.imageSmoothingEnabled = false;
  for (const layer of [picture, cover()]) context.drawImage(layer, left, top, state.size[1] * scale[1], state.size[0] * scale[0]);
  lattice(context, left, top, scale, state.size, ink.line);
  const { layer, unit } = looked();
  const field = box(rows[layer], unit);
  const [y, x] = both((a) => (field[a][0] + around[a]) * scale[a]);
  const [h, w] = both((a) => (field[a][1] - field[a][0] + 1) * scale[a]);
  // Where the field leaves the picture, its edge lies along the border.
  const [x0, y0, x1, y1] = [Math.max(x, 1.5), Math.max(y, 1.5), Math.min(x + w, width - 1.5), Math.min(y + h, height - 1.5)];
  // Far out in the padding it does not show at all.
  if (x1 > x0 && y1 > y0) outlined(context, x0, y0, x1 - x0, y1 - y0, ink.field, ink.paper);
}

// Where a layer's units lie over the image, in its pixels: the edges of the map for each axis.
function extent(row) {
  return both((a) => {
    const first = row.first[a] + row.field[a] / 2;
    return [first - row.jump[a] / 2, first + (row.out[a] - 0.5) * row.jump[a]];
  });
}

function drawUnits() {
  const { layer, unit } = looked();
  const row = rows[layer];
  const [high, wide] = row.out;
  const { context, width, height } = surface($("units"), drawnRatio(high, wide));
  const ink = colours();
  const cell = [height / high, width / wide];
  const [[top, bottom], [left, right]] = extent(row);
  context.fillStyle = ink.raised;
  context.fillRect(0, 0, width, height);
  context.globalAlpha = 0.3;
  context.imageSmoothingEnabled = false;
  const zoom = [height / (bottom - top), width / (right - left)];
  context.drawImage(picture, -left * zoom[1], -top * zoom[0], state.size[1] * zoom[1], state.size[0] * zoom[0]);
  context.globalAlpha = 1;
  lattice(context, 0, 0, cell, row.out, ink.muted);
  const dot = both((a) => Math.max(cell[a], 7));
  const [y, x] = both((a) => Math.min(Math.max((unit[a] + 0.5) * cell[a] - dot[a] / 2, 0), [height, width][a] - dot[a]));
  context.fillStyle = ink.field;
  context.fillRect(x, y, dot[1], dot[0]);
  if (Math.min(...dot) > 12) outlined(context, x + 1.5, y + 1.5, dot[1] - 3, dot[0] - 3, ink.field, ink.paper);
  if (hovered && hovered.layer === state.layer) {
    const [py, px] = both((a) => (state.unit[a] + 0.5) * cell[a]);
    context.strokeStyle = ink.ink;
    context.lineWidth = 1.5;
    context.strokeRect(px - dot[1] / 2, py - dot[0] / 2, dot[1], dot[0]);
  }
}

function unitAt(event) {
  const area = $("units").getBoundingClientRect();
  const { layer } = state;
  const place = [(event.clientY - area.top) / area.height, (event.clientX - area.left) / area.width];
  return { layer, unit: both((a) => Math.min(Math.max(Math.floor(place[a] * rows[layer].out[a]), 0), rows[layer].out[a] - 1)) };
}

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function walk(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const end = rows[state.layer].out.map((n) => n - 1);
  const far = event.shiftKey ? both((a) => Math.max(1, Math.round(end[a] / 8))) : [1, 1];
  if (STEPS[event.key]) change({ unit: both((a) => state.unit[a] + STEPS[event.key][a] * far[a]) });
  else if (event.key === "PageUp") chooseLayer(state.layer + 1);
  else if (event.key === "PageDown") chooseLayer(state.layer - 1);
  else if (event.key === "Home") change({ unit: [0, 0] });
  else if (event.key === "End") change({ unit: end });
  else if (event.key === "c" || event.key === "5") change({ unit: middle(rows[state.layer]) });
  else return;
  event.preventDefault();
}

// A canvas whose units can be pointed at and pinned; `find` gives { layer, unit } of an event, or null.
function pointed(canvas, find) {
  canvas.addEventListener("pointermove", (event) => event.pointerType !== "touch" && hover(find(event)));
  canvas.addEventListener("pointerleave", () => hover(null));
  canvas.addEventListener("click", (event) => {
    const found = find(event);
    if (found) change(found);
  });
}

function stage() {
  pointed($("units"), unitAt);
  $("units").addEventListener("keydown", walk);
  drawers.push(() => state.tab === "field" && (drawSeen(), drawUnits()));
}
