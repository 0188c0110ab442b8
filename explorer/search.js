// What somebody may have meant.

import { get } from './api.js';
import { failed, h, loading, replace } from './dom.js';
import { accountPath, count, name, number, visible } from './format.js';

const PATHS = {
  block: (key) => [`/block/${key}`, 'Block ', h('span.mono', number(Number(key)))],
  transaction: (key) => [`/tx/${key.replace('/', ':')}`, 'Transaction ', h('span.mono', key.replace('/', ':'))],
  account: (key) => [accountPath(key), 'Account ', name(key)],
  validator: (key) => [`/validators/${key}`, 'Validator ', h('span.mono', key)],
};

export function show(root, { query, signal, title, go }) {
  const text = query.get('q')?.trim() ?? '';
  title(`Search: ${visible(text)}`);
  document.getElementById('q').value = text;
  if (text === '') {
    replace(root, h('h1', 'Search'), h('p.empty', 'Write a height, a hash, an account, a place such as 0:771, or a transaction’s id.'));
    return;
  }
  const found = get(`/v1/search?q=${encodeURIComponent(text)}`, signal);
  loading(root, 'Looking', found.then(({ results }) => draw(root, text, results, go), (error) => failed(root, error, h('h1', 'Search'))));
}

function draw(root, text, results, go) {
  if (results.length === 1) {
    // Back leads to where the question was asked, not here.
    go(PATHS[results[0].kind](results[0].key)[0], true);
    return;
  }
  const list = results.map((one) => {
    const [href, ...label] = PATHS[one.kind](one.key);
    return h('li', h('a', { href }, label), h('span.note', one.why));
  });
  replace(root, h('h1', results.length === 0 ? 'Nothing found' : count(results.length, 'result')),
    h('p.quiet', 'Looked for ', h('bdi.mono', visible(text)), results.length === 0 ? '. Hashes and ids are looked up in the latest blocks, names among the accounts that the chain keeps; blocks of any age by height, transactions of any age by partition:offset.' : '.'),
    results.length === 0 ? h('p', h('a', { href: accountPath(text) }, 'Show the account of this name'), ' all the same: every name is one.') : h('ul.results', list));
}
