// What the walks say of the network at hand: sentences with its figures, without a page.

// Of the top-left unit of a layer: how much of its field's width the image cuts off, and what dilation leaves out.
function cornerWords(rows, at) {
  const row = rows[at];
  const [from, to] = box(row, [0, 0])[1];
  const width = rows[0].out[1];
  const [before, behind] = [Math.max(0, -from), Math.max(0, to - width + 1)];
  const within = row.field[1] - before - behind;
  const read = trace(rows, at, [0, 0])[0][1].length;
  const columns = (n) => (n === 1 ? "column lies" : `${n} columns lie`);
  const beyond = before ? ` The field begins at −${before}, so its first ${columns(before)} in the padding, where there is nothing${behind ? `, and so does what reaches beyond the other border (${behind})` : ""}: of ${row.field[1]} columns ${within} are left.` : "";
  const holes = read < within ? ` Of the ${within} columns within the image it reads ${read}: the others are holes.` : "";
  return beyond + holes;
}

// What stride 2 across in the first layer does to its own field and to that of a later one, held against stride 1.
function strideWords(network, at) {
  const rows = table(network);
  const first = rows[1];
  const single = table({ ...network, layers: network.layers.map((layer, i) => (i ? layer : { ...layer, stride: [1, 1] })) });
  if (first?.layer.stride[1] !== 2 || single[at].problem) return { first: "The first field stays.", figures: "" };
  const [now, then] = [rows[at].field[1], single[at].field[1]];
  const [own, alone] = [first.field[1], single[1].field[1]];
  const growth = then - alone;
  const split = own === alone && now === own + 2 * growth;
  const figures = split ? `with stride 1 it would be ${own} + ${growth} = ${then}; it is ${own} + 2 · ${growth} = ${now}.` : `with stride 1 it would be ${then}; it is ${now}.`;
  const stays = own === alone ? "The first field stays." : `The first convolution’s field stays, but the block has more of them, and they read its stride already: its field is ${own} in place of ${alone}.`;
  return { first: stays, figures: at > 1 ? ` Look at ${rows[at].name}: ${figures}` : "" };
}
