// What one sees, in words: below the stage for everybody, and for those who listen after they have stopped moving.

let speaking = 0;

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
  const { sets, map: ask } = seen();
  if (!sets[0][0].length) return "No way leads from a pixel to this unit.";
  const map = ask();
  if (!map) return "There are too many ways to this unit to count them here; what is drawn is the field alone.";
  const sigmas = both((a) => Math.sqrt(spread(map, a).variance));
  const closed = rows.slice(1, layer + 1).some(({ layer: { kind } }) => kind === "block");
  const facts = both((a) => ({ sigma: number(sigmas[a], 2), share: number((4 * sigmas[a]) / row.field[a], 2) }));
  const spreads = perAxis(facts, ({ sigma, share }, words) => about(words, `their spread is σ = ${sigma} pixels: 4σ is ${share} of the field.`));
  return `Bright pixels reach the unit in many ways, dark ones in few. ${spreads}${closed ? " A block on the way is taken as one even window." : ""}`;
}

function say() {
  clearTimeout(speaking);
  speaking = setTimeout(() => ($("said").textContent = sentence(rows, state.layer, state.unit)), 500);
}

function words() {
  drawers.push(() => {
    if (state.tab !== "field") return;
    const { layer, unit } = looked();
    $("sentence").textContent = sentence(rows, layer, unit);
    $("crowd").textContent = crowd(layer, unit);
    $("units-name").textContent = `Pick a unit of ${rows[layer].name}`;
    $("units").setAttribute("aria-label", `Units of ${rows[state.layer].name}, ${times(rows[state.layer].out)}. Arrow keys walk, Page Up and Page Down change the layer.`);
    $("seen").setAttribute("aria-label", `The image. ${$("sentence").textContent} ${$("crowd").textContent}`);
  });
}
