// How the chosen layer's field came from the one before, with the numbers in.

const MEANING = {
  field: "how many pixels a unit spans",
  jump: "how far apart neighbours’ fields lie",
  first: "where the field of unit 0 begins; below 0 lies padding",
  output: "how many units there are",
};

function block(title, lines) {
  const list = make("dl", { class: "reckoning" });
  for (const [name, words, numbers, result] of lines) {
    list.append(
      make("dt", {}, make("strong", {}, name), make("span", { class: "quiet" }, ` ${MEANING[name]}`)),
      make("dd", {}, make("span", { class: "quiet" }, `= ${words}`), make("br"), `= ${numbers} = `, make("strong", {}, number(result))),
    );
  }
  return make("div", {}, make("h4", {}, title), list);
}

function reckoning(index) {
  const row = rows[index];
  if (index === 0) return [make("p", {}, "A pixel sees itself: field 1, jump 1, first 0. Choose a layer to see how it goes on.")];
  const pairs = [...row.steps.flatMap(({ window: { kernel, stride, padding, dilation } }) => [kernel, stride, padding, dilation]), ...[rows[index - 1], row].flatMap(({ out, field, jump, first }) => [out, field, jump, first])];
  const once = pairs.every(alike);
  const made = [];
  for (const a of once ? [1] : [0, 1]) {
    let before = rows[index - 1];
    row.steps.forEach(({ window }, i) => {
      const after = slid(before, window);
      const which = [row.name, row.steps.length > 1 && `convolution ${i + 1}`, !once && (a ? "across" : "down")].filter(Boolean).join(", ");
      made.push(block(which, reckoned(before, after, window, a)));
      before = after;
    });
  }
  const { kind } = row.layer;
  const notes = {
    gap: `GAP is a pool whose window is the whole ${times(rows[index - 1].out)} map. Its field is all their fields together.`,
    dense: `A fully connected layer is a convolution whose kernel is the whole ${times(rows[index - 1].out)} map.`,
    residual: "The shortcut adds nothing: it reads what the middle of the window reads anyway. So a block sees what its convolutions see, but more of its ways lead straight down the middle.",
    block: "These layers are drawn as one window: their outermost edges.",
  };
  if (notes[kind]) made.unshift(make("p", {}, notes[kind]));
  const edges = box(row, state.unit);
  const facts = both((a) => ({ i: state.unit[a], first: row.first[a], jump: row.jump[a], edges: edges[a] }));
  made.push(make("p", {}, perAxis(facts, ({ i, first, jump, edges: [from, to] }, words) => about(words, `unit ${i} begins at ${minus(first)} + ${i}${TIMES}${jump} = ${number(from)} and ends at ${number(to)}.`))));
  return made;
}

function formula() {
  let drawn = null;
  drawers.push(() => {
    const key = `${state.layer} ${state.unit}`;
    if (state.tab !== "field" || (drawn?.rows === rows && drawn.key === key)) return;
    drawn = { rows, key };
    $("formula").replaceChildren(...reckoning(state.layer));
  });
}
