// Elements and colours: what every part of the page takes.

const host = document.getElementById("receptive-field-simulation");
const template = host.querySelector("template"); // still there where a browser does not know shadow trees in HTML
if (template) host.attachShadow({ mode: "open" }).append(template.content);
const root = host.shadowRoot;
const $ = (id) => root.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const given = JSON.parse($("given").textContent); // { own, measured, pictures } of whoever made the page
for (const map of Object.values(given.measured)) map.values = Uint8Array.from(atob(map.values), (c) => c.charCodeAt(0));

// An element; attributes that begin with "on" are listeners, children are text or elements.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

// A canvas as wide as it lies and `ratio` times as high, cleared: { context, width, height } in CSS pixels.
function surface(canvas, ratio, least = 0) {
  const width = canvas.clientWidth;
  const height = Math.max(Math.round(width * ratio), least);
  const dense = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
    canvas.width = Math.round(width * dense);
    canvas.height = Math.round(height * dense);
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(dense, 0, 0, dense, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = `12px ${getComputedStyle(host).fontFamily}`;
  return { context, width, height };
}

// The page's own colours, light or dark.
function colours() {
  const style = getComputedStyle(host);
  const named = (name) => style.getPropertyValue(name).trim();
  return { paper: named("--paper"), raised: named("--raised"), ink: named("--ink"), muted: named("--muted"), line: named("--line"), field: named("--arm-1"), accent: named("--accent"), other: named("--arm-0") };
}

function rgb(colour) {
  return [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
}

const VIRIDIS = ["#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"].map(rgb);

// From 0 to 1, in the colours of viridis, which the colour-blind can read.
function viridis(share) {
  const place = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const [low, high] = [VIRIDIS[Math.floor(place)], VIRIDIS[Math.ceil(place)]];
  return low.map((value, i) => Math.round(value + (high[i] - value) * (place % 1)));
}

// A slider and a number box for one number, with one label.
function dial(label, { least, most, value, step = 1, hint = "" }, changed) {
  const limit = (text) => Math.min(Math.max(least + Math.round((Number(text) - least) / step) * step, least), most);
  const slider = make("input", { type: "range", min: least, max: most, step, value, "aria-label": `${label}, slider` });
  const box = make("input", { type: "number", min: least, max: most, step, value, "aria-label": label });
  slider.addEventListener("input", () => changed(limit((box.value = slider.value))));
  box.addEventListener("input", () => box.value !== "" && changed(limit((slider.value = box.value))));
  box.addEventListener("change", () => (box.value = limit(box.value)));
  box.addEventListener("blur", redraw); // it shows what holds again, where what was written was not taken
  const element = make("div", { class: "dial", title: hint }, make("span", {}, label), slider, box);
  element.show = (now) => {
    for (const input of [slider, box]) if (root.activeElement !== input || input === slider) input.value = now;
  };
  element.slider = slider;
  return element;
}

// Runs `step` again and again until it says false or is stopped; where motion is not wanted, a press is one step.
function player(button, words, step, pause) {
  let timer = 0;
  const show = () => {
    button.textContent = calm.matches ? words.once : timer ? words.stop : words.play;
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    show();
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    step(true);
    if (!calm.matches) timer = setInterval(() => step(false) || stop(), pause);
    show();
  });
  calm.addEventListener("change", stop);
  show();
  return stop;
}
