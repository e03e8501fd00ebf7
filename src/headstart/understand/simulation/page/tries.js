// What to try: questions, what to do, and what one should have seen, with the numbers of the network at hand.

const lastMap = () => {
  const found = rows.findLastIndex((row, i) => i <= last() && row.out[0] * row.out[1] > 1);
  return found > 0 ? found : last();
};

// The lesson's network, where a question takes it.
const lesson = () => load("lesson");

const TRIES = [
  {
    question: "Which pixels decide the top-left unit of the last layer?",
    todo: "Choose the last map and walk to its top-left unit (press Home).",
    set: () => {
      if (lastMap() < 1) lesson();
      change({ layer: lastMap(), unit: [0, 0] });
    },
    answer: () => cornerWords(rows, lastMap()),
  },
  {
    question: "What does stride 2 in the first layer do to all later fields?",
    todo: "Set the first layer’s stride to 2 and look down the table.",
    set: () => {
      if (origin !== "lesson") lesson();
      was = rows;
      change({ layers: state.layers.map((layer, i) => (i ? layer : { ...layer, stride: [2, 2] })), layer: 1 });
      change({ layer: lastMap() });
      change({ unit: middle(rows[state.layer]) });
    },
    answer: () => strideWords(state, lastMap()),
  },
  {
    question: "Why is GAP’s field the whole image?",
    todo: "Put GAP after the last map and look at the formula.",
    set: () => {
      lesson();
      const at = lastMap();
      change({ layers: [...state.layers.slice(0, at), complete({ kind: "gap" })], layer: at + 1, unit: [0, 0] });
    },
    answer: () => gapWords(rows),
  },
  {
    question: "Where do the holes of dilation come from?",
    todo: "Stack three 3×3 of dilation 2 and look at the picture.",
    set: () => {
      const layer = complete({ kind: "conv", kernel: 3, padding: 2, dilation: 2, channels: 8 });
      was = null;
      change({ size: [21, 21], channels: 1, layers: [layer, layer, layer].map(complete), layer: 3, unit: [10, 10], show: "box" });
    },
    answer: () => "Each layer reads every second unit, and so does the next: only pixels an even distance away are ever read. Of a frame of 13×13 that is 7×7, 49 of 169. Give one layer dilation 1, and the holes close.",
  },
  {
    question: "Does a unit use all of its field?",
    todo: "Take VGG-16’s last map and show the ways.",
    set: () => {
      load("vgg16");
      change({ show: "paths" });
    },
    answer: () => "There is one way from a corner of the field to the unit, and very many from its middle. So in a deep stack the middle decides, much like a Gaussian. In the lesson’s own network it does not: two convolutions are too few.",
  },
];

function tries() {
  const answers = [];
  TRIES.forEach(({ question, todo, set, answer }) => {
    const said = make("p", { hidden: true });
    const shown = make("button", {
      type: "button", class: "plain", "aria-expanded": "false",
      onclick: () => {
        said.hidden = !said.hidden;
        shown.setAttribute("aria-expanded", String(!said.hidden));
        redraw();
      },
    }, "What you should see");
    answers.push(() => !said.hidden && (said.textContent = answer()));
    const act = make("button", {
      type: "button",
      onclick: () => {
        set();
        if ($("stage").getBoundingClientRect().top < 0) $("stage").scrollIntoView({ behavior: calm.matches ? "auto" : "smooth" });
      },
    }, "Set it up");
    $("tries").append(make("li", {}, make("strong", {}, question), make("p", {}, todo), make("div", { class: "row" }, act, shown), said));
  });
  drawers.push(() => state.tab === "field" && answers.forEach((fill) => fill()));
}
