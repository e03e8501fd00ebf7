// The picture under the field: one drawn here, those that came with the page, or a file of the person's own, which
// stays on the machine.

const picture = make("canvas"); // in the image's own size
let photograph = null; // an image that lies under the field instead of the drawing

// A small landscape, with something to find in every corner.
function landscape(context, width, height) {
  const w = width / 100;
  const h = height / 100;
  const shape = (colour, points) => {
    context.fillStyle = colour;
    context.beginPath();
    points.forEach(([x, y]) => context.lineTo(x * w, y * h));
    context.fill();
  };
  const disc = (colour, x, y, r) => {
    context.fillStyle = colour;
    context.beginPath();
    context.ellipse(x * w, y * h, r * w, r * h, 0, 0, 7);
    context.fill();
  };
  const sky = context.createLinearGradient(0, 0, 0, height);
  sky.addColorStop(0, "#5b8fbf");
  sky.addColorStop(0.65, "#d9e6ea");
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
  disc("#fff3c4", 80, 18, 9);
  disc("#f4f8fa", 22, 20, 8);
  disc("#f4f8fa", 32, 22, 10);
  disc("#f4f8fa", 42, 21, 6);
  shape("#6b7f92", [[0, 66], [20, 38], [34, 56], [50, 32], [78, 66]]);
  shape("#eef2f4", [[50, 32], [44, 41], [50, 44], [57, 41]]);
  shape("#7fa06a", [[0, 66], [30, 58], [65, 62], [100, 54], [100, 100], [0, 100]]);
  shape("#5f8450", [[0, 84], [40, 76], [100, 88], [100, 100], [0, 100]]);
  shape("#e9dcc3", [[14, 62], [38, 62], [38, 82], [14, 82]]);
  shape("#a5483c", [[10, 63], [26, 47], [42, 63]]);
  shape("#5a4436", [[23, 70], [30, 70], [30, 82], [23, 82]]);
  shape("#31424f", [[32, 66], [36, 66], [36, 72], [32, 72]]);
  shape("#5c4432", [[73, 64], [77, 64], [78, 86], [72, 86]]);
  disc("#3f6a3c", 75, 54, 13);
  disc("#4d7c46", 71, 50, 8);
  disc("#c9503f", 80, 56, 2.6);
  disc("#c9503f", 70, 58, 2.6);
}

function drawPicture() {
  const [height, width] = state.size;
  Object.assign(picture, { width, height });
  const context = picture.getContext("2d", { willReadFrequently: true });
  if (!photograph) return landscape(context, width, height);
  // The largest part of the photograph that has the image's shape.
  const scale = Math.min(photograph.width / width, photograph.height / height);
  const [w, h] = [width * scale, height * scale];
  context.drawImage(photograph, (photograph.width - w) / 2, (photograph.height - h) / 2, w, h, 0, 0, width, height);
}

function take(address, done = () => {}) {
  const image = new Image();
  image.onload = () => {
    photograph = image;
    drawPicture();
    redraw();
    done("");
  };
  image.onerror = () => done("This file cannot be shown as a picture.");
  image.src = address;
}

function takeFile() {
  const [file] = $("file").files;
  if (!file) return;
  const address = URL.createObjectURL(file);
  take(address, (said) => {
    URL.revokeObjectURL(address);
    $("file-said").textContent = said;
  });
}

function pictures() {
  const choice = $("picture");
  given.pictures.forEach((_, i) => choice.append(make("option", { value: i }, `image ${i + 1} of yours`)));
  choice.append(make("option", { value: "file" }, "a file of mine…"));
  choice.addEventListener("change", () => {
    $("file").hidden = choice.value !== "file";
    $("file-said").textContent = "";
    if (choice.value === "drawn") {
      photograph = null;
      drawPicture();
      redraw();
    } else if (choice.value === "file") takeFile();
    else take(given.pictures[choice.value]);
  });
  $("file").addEventListener("change", takeFile);
  if (given.pictures.length) {
    choice.value = "0";
    take(given.pictures[0]);
  }
  let drawn = "";
  drawers.push(() => {
    if (drawn === `${state.size}`) return;
    drawn = `${state.size}`;
    drawPicture();
  });
}
