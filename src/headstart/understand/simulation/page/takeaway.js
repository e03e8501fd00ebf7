// What one takes away: the picture as PNG, the network as PyTorch, the address of what is on the screen.

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    $("taken").textContent = said;
  } catch {
    $("taken").textContent = "This browser does not let a page copy; select the text and copy it.";
  }
}

// The image, the way and the cut on one sheet, with their sentence below.
function poster() {
  const dense = 2;
  const [wide, edge, side] = [1100, 28, 340];
  const parts = [$("seen"), $("way"), $("cut")].map((canvas) => ({ canvas, ratio: canvas.height / canvas.width }));
  const [seenPart, way, through] = parts;
  const top = Math.max(side * seenPart.ratio, (wide - side - 3 * edge) * way.ratio);
  const tall = top + (wide - 2 * edge) * through.ratio + 3 * edge + 90;
  const sheet = make("canvas", { width: wide * dense, height: Math.round(tall * dense) });
  const context = sheet.getContext("2d");
  const ink = colours();
  context.scale(dense, dense);
  context.fillStyle = ink.paper;
  context.fillRect(0, 0, wide, tall);
  context.drawImage(seenPart.canvas, edge, edge, side, side * seenPart.ratio);
  context.drawImage(way.canvas, side + 2 * edge, edge, wide - side - 3 * edge, (wide - side - 3 * edge) * way.ratio);
  context.drawImage(through.canvas, edge, top + 2 * edge, wide - 2 * edge, (wide - 2 * edge) * through.ratio);
  context.fillStyle = ink.ink;
  context.font = `16px ${getComputedStyle(host).fontFamily}`;
  let [text, y] = ["", tall - 70];
  for (const word of sentence(rows, state.layer, state.unit).split(" ")) {
    if (context.measureText(`${text} ${word}`).width > wide - 2 * edge) {
      context.fillText(text, edge, y);
      [text, y] = ["", y + 24];
    }
    text = `${text} ${word}`.trim();
  }
  context.fillText(text, edge, y);
  return sheet;
}

function takeaway() {
  $("png").addEventListener("click", () => poster().toBlob((blob) => save(blob, "receptive-field.png")));
  $("py").addEventListener("click", () => save(new Blob([toTorch(state)], { type: "text/x-python" }), "network.py"));
  $("copy-code").addEventListener("click", () => copy(toTorch(state), "The code is copied."));
  $("copy-address").addEventListener("click", () => {
    writeAddress();
    copy(location.href, "The address is copied; it holds all that you set.");
  });
  drawers.push(() => {
    if (state.tab === "field" && $("code-shown").open) $("code").textContent = toTorch(state);
  });
  $("code-shown").addEventListener("toggle", redraw);
}

let writing = 0;

function writeAddress() {
  clearTimeout(writing);
  try {
    history.replaceState(null, "", toAddress(state));
  } catch {
    // a browser that refuses so many changes, or any within such a page: the simulation goes on without
  }
}

// The state stands in the address a moment after it last changed; the first drawing leaves the address alone.
function address() {
  let known = toAddress(state);
  drawers.push(() => {
    const now = toAddress(state);
    if (now === known) return;
    known = now;
    clearTimeout(writing);
    writing = setTimeout(writeAddress, 300);
  });
  addEventListener("hashchange", () => {
    const said = fromAddress(location.hash);
    if (said) follow(said);
  });
}
