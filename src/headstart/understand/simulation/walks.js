// What the walks say of the network at hand: sentences with its figures, without a page.

const AXES = [
  { one: "row", many: "rows", way: "Down" },
  { one: "column", many: "columns", way: "Across" },
];
const EACH = { one: "row and column", many: "rows and columns", way: "" };

const WHOLE = ["gap", "dense"]; // their window is the whole map
const NONE = "There is no layer yet that fits. Set it up to see the numbers.";

// A sentence that begins with its axis, where it is about one alone.
const about = ({ way }, text) => (way ? `${way}, ${text}` : `${text[0].toUpperCase()}${text.slice(1)}`);

// A sentence for each axis or, where the facts of both are the same, one for both; `say` gets facts and words.
function perAxis(facts, say) {
  const once = alike(facts.map((fact) => JSON.stringify(fact)));
  return (once ? [say(facts[0], EACH)] : both((a) => say(facts[a], AXES[a]))).filter(Boolean).join(" ");
}

// Which pixels decide the top-left unit of a layer, how much of its field the borders cut off, and what it skips.
function cornerWords(rows, at) {
  if (!at) return NONE;
  const row = rows[at];
  const edges = box(row, [0, 0]);
  const seen = trace(rows, at, [0, 0])[0];
  if (!seen[0].length) return `No pixel decides it: this unit of ${row.name} reads nothing of the image, only padding. Its field lies at ${lines("row", edges[0])} and ${lines("column", edges[1])}, and the image has rows 0 to ${rows[0].out[0] - 1} and columns 0 to ${rows[0].out[1] - 1}.`;
  const facts = both((a) => {
    const [before, behind] = [Math.max(0, -edges[a][0]), Math.max(0, edges[a][1] - rows[0].out[a] + 1)];
    return { field: row.field[a], before, behind, span: seen[a].at(-1) - seen[a][0] + 1, read: seen[a].length };
  });
  const [down, across] = seen.map((indices) => [indices[0], indices.at(-1)]);
  const said = [`The pixels of ${lines("row", down)} and ${lines("column", across)}: no other can change this unit of ${row.name}.`, perAxis(facts, cutWords), perAxis(facts, holeWords), endWords(rows, at)];
  return said.filter(Boolean).join(" ");
}

// After the last map, layers whose one unit may see more than the corner does.
function endWords(rows, at) {
  const end = rows.findLastIndex((row) => !row.problem);
  return end > at ? `${rows[at].name} is the last map, not the last layer: ${sees(rows, end)}` : "";
}

function cutWords({ field, before, behind }, words) {
  const { one, many } = words;
  const left = field - before - behind;
  const rest = `${left} of ${field} ${many} ${left === 1 ? "is" : "are"} left.`;
  const first = before === 1 ? `first ${one} lies` : `first ${before} ${many} lie`;
  if (before) return about(words, `the field begins at −${before}, so its ${first} in the padding, where there is nothing${behind ? `, and so does what reaches beyond the other border (${behind})` : ""}: ${rest}`);
  return behind ? about(words, `the field reaches beyond the border by ${behind}: ${rest}`) : "";
}

function holeWords({ span, read }, { many }) {
  return read < span ? `Of the ${span} ${many} from the first to the last it reads ${read}: the others are holes.` : "";
}

// What the stride of the first layer does to its own field and to that of a later one, held against stride 1; where it
// has none, what stride 2 would do.
function strideWords(network, at) {
  const first = network.layers[0];
  if (!first || !at) return NONE;
  if (WHOLE.includes(first.kind)) return `The first layer here, ${table(network)[1].name}, takes the whole image at once and has no stride. Set it up to see the numbers.`;
  const stride = first.stride.some((s) => s > 1) ? first.stride : [2, 2];
  const [single, strided] = [[1, 1], stride].map((now) => table({ ...network, layers: [{ ...first, stride: now }, ...network.layers.slice(1)] }));
  const fitting = strided.findLastIndex((row, i) => i <= at && !row.problem && !single[i].problem);
  if (fitting < 1) return "Such a stride does not fit here. Set it up to see the numbers.";
  const facts = both((a) => ({
    s: stride[a],
    own: [single[1].field[a], strided[1].field[a]],
    field: [single[fitting].field[a], strided[fitting].field[a]],
    steady: strided.slice(1, fitting + 1).every((row, i) => row.jump[a] === stride[a] * single[i + 1].jump[a]),
  }));
  const later = fitting > 1 ? strided[fitting].name : "";
  const [units, before] = [strided, single].map((rows) => times(rows[fitting].out));
  const fewer = units === before ? "" : ` The map of ${strided[fitting].name} has ${units} units in place of ${before}.${wholeWords(single[fitting + 1], strided[fitting + 1])}`;
  return perAxis(facts, (fact, words) => axisStride(fact, words, later)) + fewer;
}

// What follows the last map and takes all of it, with the stride held against the same without.
function wholeWords(then, now) {
  if (!WHOLE.includes(now?.layer.kind)) return "";
  return ` ${now.name} takes the whole map, which has fewer units now: its jump is ${same(now.jump)} in place of ${same(then.jump)}, its field ${same(now.field)} in place of ${same(then.field)}.`;
}

function axisStride({ s, own, field, steady }, words, later) {
  if (s === 1) return about(words, "the stride is 1: every field stays as it is.");
  const stays = own[0] === own[1] ? "the first field stays" : `the first convolution’s field stays, but the block has more of them, and they read its stride already: its field is ${own[1]} in place of ${own[0]}`;
  const [multiplied, too] = s === 2 ? ["doubles", "so does"] : [`is ${s} times as large`, "so is"];
  const jumps = steady && later ? `: every later jump up to ${later} ${multiplied}, and ${too} what each later layer up to there adds to the field` : "";
  const growth = field[0] - own[0];
  const split = own[0] === own[1] && field[1] === own[1] + s * growth;
  const sums = split ? [`${own[0]} + ${growth} = `, `${own[0]} + ${s} · ${growth} = `] : ["", ""];
  const figures = later ? `Look at ${later}: with stride 1 its field is ${sums[0]}${field[0]}, with stride ${s} it is ${sums[1]}${field[1]}.` : "No map comes after it here.";
  return `${about(words, `with stride ${s} ${stays}`)}. But neighbours look at places ${s} pixels apart${jumps}. ${figures}`;
}

// How much of the image a layer's first unit sees; all of a layer after a whole map see the same.
function sees(rows, at) {
  const [down, across] = trace(rows, at, [0, 0])[0].map((indices) => indices.length);
  return `${rows[at].name} sees ${number(down * across)} of ${number(rows[0].out[0] * rows[0].out[1])} pixels.`;
}

// Why the field of GAP is what it is.
function gapWords(rows) {
  const at = rows.findLastIndex((row) => row.layer?.kind === "gap" && !row.problem);
  if (at < 1) return "GAP averages all units of a map, so it sees what any of them sees. Set it up to see the numbers.";
  const [before, gap] = [rows[at - 1], rows[at]];
  const facts = both((a) => ({ field: before.field[a], jump: before.jump[a], units: before.out[a], spans: gap.field[a], image: rows[0].out[a] }));
  const spans = perAxis(facts, ({ field, jump, units, spans: all, image }, words) => about(words, `their fields measure ${field} and begin ${jump} apart; side by side they span ${field} + (${units} − 1) · ${jump} = ${all} pixels, and the image has ${image}.`));
  return `GAP averages all ${times(before.out)} units, so it sees what any of them sees. ${spans} ${sees(rows, at)}`;
}
