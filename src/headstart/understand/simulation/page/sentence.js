// What one sees, in words: below the stage for everybody, and for those who listen after they have stopped moving.

let speaking = 0;

function sentence(layer, unit) {
  const row = rows[layer];
  if (layer === 0) return `Pixel (${unit.join(", ")}) of the image sees itself. Choose a layer.`;
  const { sets } = seen();
  const pixels = sets[0][0].length * sets[0][1].length;
  const all = state.size[0] * state.size[1];
  const [down, across] = sets[0].map((indices) => (indices.length ? [indices[0], indices.at(-1)] : null));
  if (!down || !across) return `Unit (${unit.join(", ")}) of ${row.name} reads padding alone: it sees no pixel.`;
  const hull = (down[1] - down[0] + 1) * (across[1] - across[0] + 1);
  const whole = pixels === all;
  const which = whole ? "the whole image" : `rows ${range(down)} and columns ${range(across)}`;
  const holes = hull > pixels ? `, with holes: ${number(pixels)} of the ${number(hull)} there` : "";
  const edges = box(row, unit);
  const over = edges.some(([from, to], a) => from < 0 || to >= state.size[a]);
  const padding = over ? ` Its field is ${times(row.field)} and reaches beyond the border, where there is nothing to see.` : "";
  return `Unit (${unit.join(", ")}) of ${row.name} sees ${which}${holes}: ${number(pixels)} of ${number(all)} pixels, ${percent(pixels / all)}.${padding}`;
}

// How the ways crowd, or what was measured.
function crowd(layer, unit) {
  const row = rows[layer];
  if (state.show === "measured") {
    const map = measured(layer);
    if (!map) return "Nothing was measured of this layer: the map belongs to one’s own network, as it was when the page was made.";
    const at = middle(row);
    const elsewhere = `${unit}` !== `${at}`;
    return `Measured on your network: how much each pixel moves the middle unit of ${row.name}, as a mean over images.${elsewhere ? " The frame is that of the unit you chose; the heat stays that of the middle one." : ""}`;
  }
  if (state.show !== "paths" || layer === 0) return "";
  const map = seen().map();
  if (!map) return "There are too many ways to this unit to count them here; what is drawn is the field alone.";
  const [one, other] = both((a) => Math.sqrt(spread(map, a).variance));
  const closed = rows.slice(1, layer + 1).some(({ layer: { kind } }) => kind === "block");
  const deviation = one === other ? `${number(one, 2)} pixels` : `${number(one, 2)} pixels down, ${number(other, 2)} across`;
  return `Bright pixels reach the unit in many ways, dark ones in few. Their spread is σ = ${deviation}: 4σ is ${number((4 * other) / row.field[1], 2)} of the field.${closed ? " A block on the way is taken as one even window." : ""}`;
}

function say() {
  clearTimeout(speaking);
  speaking = setTimeout(() => ($("said").textContent = sentence(state.layer, state.unit)), 500);
}

function words() {
  drawers.push(() => {
    if (state.tab !== "field") return;
    const { layer, unit } = looked();
    $("sentence").textContent = sentence(layer, unit);
    $("crowd").textContent = crowd(layer, unit);
    $("units-name").textContent = `Pick a unit of ${rows[layer].name}`;
    $("units").setAttribute("aria-label", `Units of ${rows[state.layer].name}, ${times(rows[state.layer].out)}. Arrow keys walk, Page Up and Page Down change the layer.`);
    $("seen").setAttribute("aria-label", `The image. ${$("sentence").textContent} ${$("crowd").textContent}`);
  });
}
