// What a unit sees, in words.

function sentence(rows, layer, unit) {
  const row = rows[layer];
  if (layer === 0) return `Pixel (${unit.join(", ")}) of the image sees itself. Choose a layer.`;
  const who = `Unit (${unit.join(", ")}) of ${row.name}`;
  const size = rows[0].out;
  const seen = trace(rows, layer, unit)[0];
  const [pixels, all] = [seen[0].length * seen[1].length, size[0] * size[1]];
  if (!pixels) return `${who} reads nothing of the image, only padding: no pixel can change it.`;
  const [down, across] = seen.map((indices) => [indices[0], indices.at(-1)]);
  const hull = (down[1] - down[0] + 1) * (across[1] - across[0] + 1);
  const which = pixels === all ? "the whole image" : `${lines("row", down)} and ${lines("column", across)}`;
  const holes = hull > pixels ? `, with holes: ${number(pixels)} of the ${number(hull)} there` : "";
  const over = box(row, unit).some(([from, to], a) => from < 0 || to >= size[a]);
  const padding = over ? ` Its field is ${times(row.field)} and reaches beyond the border, where there is nothing to see.` : "";
  return `${who} sees ${which}${holes}: ${number(pixels)} of ${number(all)} pixels, ${percent(pixels / all)}.${padding}`;
}
