// Numbers as a person reads them.

const number = (value, digits = 0) => (value + 0).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−"); // without the sign of a zero
const range = ([from, to]) => (from === to ? `${number(from)}` : `${number(from)} to ${number(to)}`);
const lines = (word, [from, to]) => `${from === to ? word : `${word}s`} ${range([from, to])}`; // row 3, rows 3 to 5
const alike = (pair) => pair[0] === pair[1];
const times = (pair) => (alike(pair) && pair[0] !== 1 ? `${pair[0]}×${pair[1]}` : pair.join("×"));
const same = (pair) => (alike(pair) ? number(pair[0]) : pair.map((n) => number(n)).join(" | "));

function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.005) return "< 0.01\u00a0%";
  return `${value >= 99.95 ? "100" : value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2)}\u00a0%`;
}
