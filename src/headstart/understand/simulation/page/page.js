// Everything put together.

function tabs() {
  const all = [...root.querySelectorAll("[role=tab]")];
  const open = (tab) => change({ tab: tab.dataset.tab }, true);
  all.forEach((tab, i) => {
    tab.addEventListener("click", () => open(tab));
    tab.addEventListener("keydown", ({ key }) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: -1 }[key];
      if (to === undefined) return;
      const next = all.at(to % all.length);
      next.focus();
      open(next);
    });
  });
  drawers.push(() => {
    for (const tab of all) {
      const chosen = tab.dataset.tab === state.tab;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      $(tab.getAttribute("aria-controls")).hidden = !chosen;
    }
  });
}

function presets() {
  const buttons = Object.entries(PRESETS).map(([name, { title }]) => make("button", { type: "button", "data-name": name, onclick: () => load(name) }, title));
  $("presets").append(...buttons);
  $("notes").textContent = given.own ? given.own.notes.join(" ") : "";
  drawers.push(() => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.name === origin));
    $("notes").hidden = origin !== "own";
  });
}

function shown() {
  const radios = [...root.querySelectorAll("[name=show]")];
  $("measured-row").hidden = !Object.keys(given.measured).length;
  for (const radio of radios) radio.addEventListener("change", () => change({ show: radio.value }, true));
  drawers.push(() => {
    for (const radio of radios) radio.checked = radio.value === state.show;
    $("scale").hidden = state.show === "box";
    [$("least").textContent, $("most").textContent] = state.show === "paths" ? ["few", "many"] : ["little", "much"];
  });
}

function layerSlider() {
  const chosen = dial("layer", { least: 0, most: 1, value: 0 }, chooseLayer);
  $("layer-dial").append(chosen);
  const forward = (first) => {
    const anew = first && (!calm.matches || state.layer === last());
    const next = anew ? 0 : state.layer + 1;
    if (next > last()) return false;
    change({ layer: next });
    change({ unit: middle(rows[next]) }, true);
    return next < last();
  };
  const stop = player($("grow"), { play: "▶ Watch it grow", stop: "❚❚ Stop", once: "One layer further" }, forward, 1100);
  drawers.push(() => {
    if (state.tab !== "field") stop();
    for (const input of chosen.querySelectorAll("input")) input.max = last();
    chosen.show(state.layer);
    chosen.slider.setAttribute("aria-valuetext", `${state.layer}: ${rows[state.layer].name}`);
  });
}

tabs();
if (given.own) PRESETS.own = { title: given.own.title, ...given.own };
const asked = fromAddress(location.hash);
load(given.own ? "own" : "lesson");
if (asked) follow(asked, true);
pictures();
for (const part of [presets, stage, sheets, cut, words, shown, layerSlider, layersTable, editor, formula, tries, stackView, convolutionView, takeaway, address]) part();
new ResizeObserver(redraw).observe(host);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
redraw();
