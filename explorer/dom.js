// Elements without a template: text is always text.

const SVG = 'http://www.w3.org/2000/svg';

const isThere = (value) => value !== null && value !== undefined && value !== false;

// h('a.class', { href: '/', onclick: f }, 'text', element, [more]); attributes may be left out.
export function h(kind, ...rest) {
  return fill((tag) => document.createElement(tag), kind, rest);
}

export function svg(kind, ...rest) {
  return fill((tag) => document.createElementNS(SVG, tag), kind, rest);
}

function fill(create, kind, rest) {
  const [tag, ...classes] = kind.split('.');
  const element = create(tag);
  element.classList.add(...classes);
  if (rest[0]?.constructor === Object) {
    for (const [name, value] of Object.entries(rest.shift()).filter(([, value]) => isThere(value))) {
      if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? '' : value);
    }
  }
  element.append(...rest.flat(Infinity).filter(isThere));
  return element;
}

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter(isThere));
}

// A fact in a list of them.
export function fact(label, ...value) {
  return h('div', h('dt', label), h('dd', value));
}

// The same, with a sentence on what it means.
export function explained(label, why, ...value) {
  return h('div', h('dt', { 'data-tip': why, tabindex: 0 }, label), h('dd', value));
}

// Says that something is on its way, where it does not come at once.
export function loading(root, what, coming) {
  const late = setTimeout(() => replace(root, h('p.loading', `${what}…`)), 300);
  coming.finally(() => clearTimeout(late));
}

// What went wrong, unless it is that somebody has left the page.
export function failed(root, error, ...heading) {
  if (error.name !== 'AbortError') replace(root, heading, h('p.problem', error.message));
}

// A line with a button for what follows. `load` answers where that goes on, or null at the end.
export function more(text, load) {
  const button = h('button.more', { type: 'button' }, text);
  const line = h('p.more-line', button);
  button.addEventListener('click', async () => {
    button.disabled = true;
    button.textContent = text;
    try {
      if ((await load(line)) === null) line.remove();
    } catch (error) {
      if (error.name !== 'AbortError') button.textContent = `${error.message} Try again`;
    }
    button.disabled = false;
  });
  return line;
}

// A table whose rows become cards on a narrow page: each cell carries its heading.
// columns: [{ title, class }], rows: arrays of cells, or { cells, attributes }
export function table(caption, columns, rows) {
  const head = h('thead', h('tr', columns.map((column) => h('th', { scope: 'col', class: column.class }, column.title))));
  const body = h('tbody', rows.map((row) => tableRow(columns, row)));
  return h('table', h('caption.hidden', caption), head, body);
}

export function tableRow(columns, row) {
  const { cells, attributes } = Array.isArray(row) ? { cells: row, attributes: null } : row;
  return h('tr', attributes, cells.map((cell, place) => h('td', { class: columns[place].class, 'data-title': columns[place].title || null }, cell)));
}

// Says something to who listens instead of looking.
export function say(text) {
  document.getElementById('said').textContent = text;
}
