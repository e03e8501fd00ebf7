// The way from the image to the unit: each layer a sheet of its size over the image, and what the unit reads of it.

let sheetsShown = []; // for whoever points at them: { row index, corner, right, down }

// Where sheets stand: the corner of each, its edge to the right and its edge down, for a map as large as the image.
function standing(width, height, count) {
  const shape = state.size[0] / state.size[1];
  // Padding can make a map far larger than the image: then all are drawn smaller, so that it still fits.
  const reach = rows.slice(0, count).reduce((most, row) => Math.max(most, ...extent(row).map(([from, to], a) => (to - from) / state.size[a])), 1);
  const tall = Math.min(height * 0.6, (width * 0.46) * Math.max(shape, 0.5)) / Math.max(reach / 1.3, 1);
  const right = [tall * 0.5 / Math.max(shape, 0.5), -tall * 0.2];
  const room = width - right[0] - 24;
  const gap = Math.min(count > 1 ? room / (count - 1) : 0, right[0] * 1.5);
  const start = 12 + (room - gap * (count - 1)) / 2;
  const top = (height - 26 - tall - right[1]) / 2;
  return Array.from({ length: count }, (_, i) => ({ corner: [start + i * gap, top], right, down: [0, tall], gap }));
}

// A place over the image, in shares of it, on a sheet.
function placed({ corner, right, down }, y, x) {
  return [corner[0] + x * right[0] + y * down[0], corner[1] + x * right[1] + y * down[1]];
}

function corners(sheet, [[top, bottom], [left, right]]) {
  const share = (value, a) => value / state.size[a];
  return [[top, left], [top, right], [bottom, right], [bottom, left]].map(([y, x]) => placed(sheet, share(y, 0), share(x, 1)));
}

function polygon(context, points) {
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
  context.closePath();
}

// The edges of the units from one index to another.
function cells(row, [[y0, y1], [x0, x1]]) {
  const whole = extent(row);
  const at = (a, from, to) => [whole[a][0] + from * row.jump[a], whole[a][0] + (to + 1) * row.jump[a]];
  return [at(0, y0, y1), at(1, x0, x1)];
}

// Neighbouring indices as [from, to].
function runs(indices) {
  const found = [];
  for (const i of indices) {
    if (found.length && found.at(-1)[1] === i - 1) found.at(-1)[1] = i;
    else found.push([i, i]);
  }
  return found;
}

function drawSheet(context, ink, sheet, index, faint) {
  const row = rows[index];
  const edges = extent(row);
  context.globalAlpha = faint ? 0.4 : 1;
  polygon(context, corners(sheet, edges));
  context.fillStyle = ink.raised;
  if (!faint) context.fill();
  if (index === 0) {
    context.save();
    context.transform(sheet.right[0] / picture.width, sheet.right[1] / picture.width, sheet.down[0] / picture.height, sheet.down[1] / picture.height, ...sheet.corner);
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, 0, 0);
    context.restore();
  } else if (!faint && Math.min((sheet.down[1] * row.jump[0]) / state.size[0], (sheet.right[0] * row.jump[1]) / state.size[1]) > 3) {
    context.beginPath();
    for (let i = 0; i <= row.out[0]; i++) {
      const y = edges[0][0] + i * row.jump[0];
      context.moveTo(...placed(sheet, y / state.size[0], edges[1][0] / state.size[1]));
      context.lineTo(...placed(sheet, y / state.size[0], edges[1][1] / state.size[1]));
    }
    for (let i = 0; i <= row.out[1]; i++) {
      const x = edges[1][0] + i * row.jump[1];
      context.moveTo(...placed(sheet, edges[0][0] / state.size[0], x / state.size[1]));
      context.lineTo(...placed(sheet, edges[0][1] / state.size[0], x / state.size[1]));
    }
    context.strokeStyle = ink.line;
    context.lineWidth = 0.7;
    context.stroke();
  }
  polygon(context, corners(sheet, edges));
  context.strokeStyle = index === state.layer ? ink.ink : ink.muted;
  context.lineWidth = index === state.layer ? 1.5 : 0.8;
  context.stroke();
  context.globalAlpha = 1;
}

// What the unit reads of a sheet, hole by hole where that is not too much to draw.
function drawRead(context, ink, sheet, index, set) {
  const [down, across] = set.map(runs);
  const few = down.length * across.length <= 900;
  const parts = few ? down.flatMap((y) => across.map((x) => [y, x])) : [set.map((indices) => [indices[0], indices.at(-1)])];
  context.fillStyle = ink.field;
  context.globalAlpha = index === looked().layer ? 1 : Math.max(0.12, 0.6 - 0.03 * last());
  for (const part of parts) {
    polygon(context, corners(sheet, cells(rows[index], part)));
    context.fill();
  }
  context.globalAlpha = 1;
}

function drawWay() {
  const count = last() + 1;
  const { context, width, height } = surface($("way"), 0.54, 270);
  const ink = colours();
  const stands = standing(width, height, count);
  const { layer } = looked();
  const { sets } = seen();
  sheetsShown = stands.map((sheet, index) => ({ ...sheet, index }));
  const hulls = sets.map((set, l) => (set.every((indices) => indices.length) ? cells(rows[l], set.map((indices) => [indices[0], indices.at(-1)])) : null));
  // What is seen lies over all sheets: no sheet may hide the way.
  for (let l = 0; l < count; l++) drawSheet(context, ink, stands[l], l, l > layer);
  for (let l = 0; l <= layer; l++) {
    if (!hulls[l]) continue;
    drawRead(context, ink, stands[l], l, sets[l]);
    if (l < layer && hulls[l + 1]) cone(context, ink, corners(stands[l], hulls[l]), corners(stands[l + 1], hulls[l + 1]));
    polygon(context, corners(stands[l], hulls[l]));
    context.strokeStyle = ink.field;
    context.lineWidth = 1.5;
    context.stroke();
  }
  names(context, ink, stands, height);
}

function cone(context, ink, from, to) {
  context.fillStyle = context.strokeStyle = ink.field;
  for (let i = 0; i < 4; i++) {
    const next = (i + 1) % 4;
    polygon(context, [from[i], to[i], to[next], from[next]]);
    context.globalAlpha = last() > 9 ? 0.06 : 0.12;
    context.fill();
  }
  context.globalAlpha = 0.8;
  context.lineWidth = 1;
  context.beginPath();
  from.forEach((point, i) => {
    context.moveTo(...point);
    context.lineTo(...to[i]);
  });
  context.stroke();
  context.globalAlpha = 1;
}

// The names below, as many as there is room for, that of the chosen layer always.
function names(context, ink, stands, height) {
  const { layer } = looked();
  context.textAlign = "center";
  let free = -Infinity;
  const order = stands.map((_, i) => i);
  const chosen = { from: 0, to: 0 };
  const span = (i) => {
    const wide = context.measureText(rows[i].name).width + 10;
    const centre = Math.min(Math.max(stands[i].corner[0] + stands[i].right[0] / 2, wide / 2), context.canvas.clientWidth - wide / 2);
    return { from: centre - wide / 2, to: centre + wide / 2, centre };
  };
  context.font = context.font.replace(/^(\w+ )?\d+px/, "600 12px");
  Object.assign(chosen, span(layer));
  for (const i of order) {
    context.font = context.font.replace(/^(\w+ )?\d+px/, i === layer ? "600 12px" : "400 12px");
    const { from, to, centre } = span(i);
    const collides = i !== layer && (from < free || (from < chosen.to && to > chosen.from));
    if (collides) continue;
    free = to;
    context.fillStyle = i === layer ? ink.ink : ink.muted;
    context.fillText(rows[i].name, centre, height - 8);
  }
}

function sheetAt(event) {
  const area = $("way").getBoundingClientRect();
  const [px, py] = [event.clientX - area.left, event.clientY - area.top];
  for (const { corner, right, down, index } of [...sheetsShown].reverse()) {
    const x = (px - corner[0]) / right[0];
    const y = (py - corner[1] - x * right[1]) / down[1];
    const row = rows[index];
    const edges = extent(row);
    const unit = both((a) => Math.floor(([y, x][a] * state.size[a] - edges[a][0]) / row.jump[a]));
    if (unit.every((i, a) => i >= 0 && i < row.out[a])) return { layer: index, unit };
  }
  return null;
}

function sheets() {
  pointed($("way"), sheetAt);
  drawers.push(() => state.tab === "field" && drawWay());
}
