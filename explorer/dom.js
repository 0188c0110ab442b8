// Elements without a template: text is always text.

const SVG = 'http://www.w3.org/2000/svg';

const isThere = value => value !== null && value !== undefined && value !== false;

// h('a.class', { href: '/', onclick: f }, 'text', element, [more]); attributes may be left out.
export const h = (kind, ...rest) => fill(tag => document.createElement(tag), kind, rest);

export const svg = (kind, ...rest) => fill(tag => document.createElementNS(SVG, tag), kind, rest);

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

// A section under a heading, which is its name to a screen reader, too.
export const section = (title, ...children) => h('section', {'aria-label': title}, h('h2', title), children);

// The same, in a frame.
export const panel = (title, ...children) => h('section.panel', {'aria-label': title}, h('h2', title), children);

// Attributes of an element that explains itself on hover and focus; none where there is nothing to explain.
export const tip = text => (text ? {'data-tip': text, tabindex: 0} : null);

export const mono = (...rest) => h('span.mono', ...rest);

export const note = (...rest) => h('span.note', ...rest);

export const quiet = (...rest) => h('p.quiet', ...rest);

// A line that a screen reader reads out when it changes.
export const said = () => h('p.said', {role: 'status'});

// A button. What it does may take a while: it is not pressed twice meanwhile, and keeps the focus.
export function button(kind, text, press, attributes) {
  const onclick = async () => {
    if (made.ariaDisabled) return;
    made.ariaDisabled = 'true';
    try {
      await press();
    } finally {
      made.ariaDisabled = null;
    }
  };
  const made = h(`button${kind}`, {type: 'button', onclick, ...attributes}, text);
  return made;
}

export const byId = id => document.getElementById(id);

// Writes into an element, which is cheaper than to have it made again.
export const writer = element => text => {
  element.textContent = text;
};

// A field for what is looked for among what is shown.
export function searchBox(attributes) {
  return h('input', {type: 'search', spellcheck: 'false', autocomplete: 'off', ...attributes});
}

// A fact in a list of them.
export const fact = (label, ...value) => h('div', h('dt', label), h('dd', value));

// The same, with a sentence on what it means.
export const explained = (label, why, ...value) => h('div', h('dt', tip(why), label), h('dd', value));

// Says that something is on its way, where it does not come at once.
export function loading(root, coming) {
  const late = setTimeout(() => replace(root, h('p.loading', 'Loading…')), 300);
  coming.finally(() => clearTimeout(late));
}

// What went wrong, unless it is that somebody has left the page.
export function failed(root, error, ...heading) {
  if (error.name !== 'AbortError') replace(root, heading, h('p.problem', error.message));
}

// A line with a button for what follows. `load` answers where that goes on, or null at the end.
export function more(text, load) {
  const press = async () => {
    made.textContent = text;
    try {
      if ((await load(line)) === null) line.remove();
    } catch (error) {
      if (error.name !== 'AbortError') made.textContent = `${error.message} Try again`;
    }
  };
  const made = button('.more', text, press);
  const line = h('p.more-line', made);
  return line;
}

// A table whose rows become cards on a narrow page: each cell carries its heading.
// headings: texts; `#` before one is for numbers, which stand to the right. rows: cells, or { cells, attributes }.
export function table(caption, headings, rows, classes = '') {
  const columns = headings.map(column);
  const head = columns.map(({title, kind}) => h('th', {scope: 'col', class: kind}, title));
  const body = rows.map(row => tableRow(headings, row));
  return h(`table.cards${classes}`, h('caption.hidden', caption), h('thead', h('tr', head)), h('tbody', body));
}

export function tableRow(headings, row) {
  const {cells = row, attributes = null} = row;
  const columns = headings.map(column);
  const cell = (content, place) => h('td', {class: columns[place].kind, 'data-title': columns[place].title}, content);
  return h('tr', attributes, cells.map(cell));
}

// The same, which grows: `page` answers the next page, `rows` makes rows of one, `words` are on the button for it.
export function pagedTable(caption, headings, rows, {first, page, words, classes}) {
  const made = table(caption, headings, rows(first), classes);
  const next = async () => {
    const found = await page();
    made.tBodies[0].append(...rows(found).map(row => tableRow(headings, row)));
    return found.next;
  };
  return [made, first.next === null ? null : more(words, next)];
}

function column(heading) {
  return heading.startsWith('#') ? {title: heading.slice(1), kind: 'number'} : {title: heading, kind: null};
}

// Says something to who listens instead of looking.
export function say(text) {
  byId('said').textContent = text;
}
