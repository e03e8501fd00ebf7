// The table of layers: what each makes of the one before, and its place in the order.

const NEW = {
  convolution: { kind: "conv", kernel: 3, padding: 1 },
  strided: { kind: "conv", kernel: 3, stride: 2, padding: 1 },
  dilated: { kind: "conv", kernel: 3, padding: 2, dilation: 2 },
  "max pool": { kind: "max" },
  "average pool": { kind: "avg" },
  residual: { kind: "residual", kernel: 3 },
  GAP: { kind: "gap" },
  "fully connected": { kind: "dense", channels: 10 },
};

function windowWord({ kind, kernel, stride, padding, dilation, count }, before) {
  if (kind === "gap") return `mean of\u00a0${times(before.out)}`;
  if (kind === "dense") return `all of\u00a0${times(before.out)}`;
  const parts = [pairWord(kernel) === `${kernel[0]}` ? `${kernel[0]}×${kernel[0]}` : kernel.join("×")];
  if (kind === "max" || kind === "avg") parts.unshift(kind);
  if (kind === "residual") parts.unshift(`${count} ·`);
  if (stride.some((s) => s > 1)) parts.push(`stride\u00a0${same(stride)}`);
  if (kind !== "residual" && padding.some((p) => p > 0)) parts.push(`pad\u00a0${same(padding)}`);
  if (dilation.some((d) => d > 1)) parts.push(`dil.\u00a0${same(dilation)}`);
  return parts.join(" ");
}

// The share of the image that a layer's middle unit sees.
function share(index) {
  const sets = trace(rows, index, middle(rows[index]))[0];
  return (sets[0].length * sets[1].length) / (state.size[0] * state.size[1]);
}

let followed = null; // the button on which the keyboard is to stand when the table is drawn anew

// The keyboard goes with the layer, so that one can move it on.
function move(from, to, word) {
  followed = `${word}${to + 1}`;
  const layers = [...state.layers];
  layers.splice(to, 0, ...layers.splice(from, 1));
  change({ layers, layer: to + 1 });
}

function remove(index) {
  change({ layers: state.layers.filter((_, i) => i !== index), layer: Math.max(index, Math.min(1, state.layers.length - 1)) });
}

// A layer of its kind after the chosen one, as wide as what it gets.
function add(name) {
  const at = state.layer;
  const layer = complete({ channels: Math.max(rows[at].channels, 2), ...NEW[name] });
  change({ layers: [...state.layers.slice(0, at), layer, ...state.layers.slice(at)], layer: at + 1 });
  change({ unit: middle(rows[state.layer]) }, true);
}

function changed(index, key) {
  const old = was?.length === rows.length && was[index][key];
  if (!old || `${old}` === `${rows[index][key]}`) return [];
  return [make("span", { class: "was" }, `was ${same(old)} `)];
}

function line(row, index) {
  const ok = !row.problem;
  const cell = (...content) => make("td", { class: "n" }, ...content);
  const name = make("button", { type: "button", class: "name", "data-key": `name${index}`, "aria-pressed": String(index === state.layer), disabled: !ok, onclick: () => chooseLayer(index) }, row.name);
  const cells = [make("th", { scope: "row" }, name), make("td", {}, index ? windowWord(row.layer, rows[index - 1]) : "")];
  if (ok) {
    const seenShare = share(index);
    cells.push(
      cell(...changed(index, "jump"), same(row.jump)),
      cell(...changed(index, "field"), make("strong", {}, same(row.field))),
      cell(...changed(index, "out"), `${number(row.channels)} × ${times(row.out)}`),
      cell(make("span", { class: "bar", style: `--share:${seenShare}` }), percent(seenShare)),
      cell(index ? number(row.parameters) : ""),
    );
  } else cells.push(make("td", { colspan: 5, class: "problem" }, `✗ ${row.problem}`));
  const act = (word, sign, enabled, doing) => make("button", { type: "button", class: "small", "data-key": `${word}${index}`, "aria-label": `${word} ${row.name}`, title: word, disabled: !enabled, onclick: doing }, sign);
  cells.push(
    make("td", { class: "acts" }, ...(index
      ? [
          act("move earlier", "↑", index > 1, () => move(index - 1, index - 2, "move earlier")),
          act("move later", "↓", index < state.layers.length, () => move(index - 1, index, "move later")),
          act("remove", "✕", true, () => remove(index - 1)),
        ]
      : [])),
  );
  return make("tr", { class: index === state.layer ? "chosen" : "" }, ...cells);
}

// Keeps the keyboard where it was, or, where its button is gone or rests, on the chosen layer.
function refill(body, lines) {
  const key = body.contains(root.activeElement) ? (followed ?? root.activeElement.dataset.key) : null;
  followed = null;
  body.replaceChildren(...lines);
  if (!key) return;
  const back = body.querySelector(`[data-key="${key}"]:not(:disabled)`) ?? body.querySelector("[aria-pressed=true]");
  back?.focus({ preventScroll: true });
}

function layersTable() {
  for (const name of Object.keys(NEW)) $("add").append(make("button", { type: "button", onclick: () => add(name) }, `+ ${name}`));
  let drawn = null;
  drawers.push(() => {
    if (state.tab !== "field" || (drawn?.rows === rows && drawn.layer === state.layer && drawn.was === was)) return;
    drawn = { rows, layer: state.layer, was };
    refill($("layers"), rows.map(line));
    const total = rows.reduce((sum, row) => sum + (row.problem ? 0 : row.parameters), 0);
    $("total").textContent = `${number(total)} parameters in all.`;
  });
}
