// Elements without a template: text is always text.

const SVG = 'http://www.w3.org/2000/svg';

// h('a', { href: '/', class: 'x', onclick: f }, 'text', element, [more])
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

// A table whose rows become cards on a narrow page: each cell carries its heading.
// columns: [{ title, class }], rows: arrays of cells, or { cells, attributes }
export function table(caption, columns, rows) {
  const head = h('thead', null, h('tr', null, columns.map((column) => h('th', { scope: 'col', class: column.class }, column.title))));
  const body = h('tbody', null, rows.map((row) => tableRow(columns, row)));
  return h('table', null, h('caption', { class: 'hidden' }, caption), head, body);
}

export function tableRow(columns, row) {
  const { cells, attributes } = Array.isArray(row) ? { cells: row, attributes: null } : row;
  return h('tr', attributes, cells.map((cell, place) => h('td', { class: columns[place].class, 'data-title': columns[place].title || null }, cell)));
}

// Says something to who listens instead of looking.
export function say(text) {
  document.getElementById('said').textContent = text;
}
