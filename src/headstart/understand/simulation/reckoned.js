// How a window's field comes from the one before, with the numbers in: what the page shows, without the page.

const TIMES = " · ";
const minus = (n) => (n < 0 ? `(−${-n})` : `${n}`);

// How many places the window has. Rounded up, the last one may hang over the edge.
function placesWords(n, out, window, a) {
  const [k, s, p, d] = [window.kernel[a], window.stride[a], window.padding[a], window.dilation[a]];
  const [open, close] = window.ceil ? "⌈⌉" : "⌊⌋";
  const all = Math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1;
  const [fewer, why] = window.ceil && out < all ? [" − 1", ": a last window that would begin behind the input is left out, as PyTorch does"] : ["", ""];
  return [
    `${open}(input + 2${TIMES}padding − dilation${TIMES}(kernel − 1) − 1) / stride${close} + 1${fewer}${why}`,
    `${open}(${n} + 2${TIMES}${p} − ${d}${TIMES}(${k} − 1) − 1) / ${s}${close} + 1${fewer}`,
  ];
}

// One window of one axis, as [name, what is reckoned, with its numbers, result].
function reckoned(before, after, window, a) {
  const [k, s, p, d] = [window.kernel[a], window.stride[a], window.padding[a], window.dilation[a]];
  return [
    ["field", `field before + (kernel − 1)${TIMES}dilation${TIMES}jump before`, `${before.field[a]} + (${k} − 1)${TIMES}${d}${TIMES}${before.jump[a]}`, after.field[a]],
    ["jump", `jump before${TIMES}stride`, `${before.jump[a]}${TIMES}${s}`, after.jump[a]],
    ["first", `first before − padding${TIMES}jump before`, `${minus(before.first[a])} − ${p}${TIMES}${before.jump[a]}`, after.first[a]],
    ["output", ...placesWords(before.out[a], after.out[a], window, a), after.out[a]],
  ];
}
