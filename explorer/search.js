// What somebody may have meant.

import {get} from './api.js';
import {byId, failed, h, loading, mono, note, quiet, replace} from './dom.js';
import {accountPath, count, name, number, visible} from './format.js';

const PATHS = {
  block: key => [`/block/${key}`, 'Block ', mono(number(Number(key)))],
  transaction: key => [`/tx/${key.replace('/', ':')}`, 'Transaction ', mono(key.replace('/', ':'))],
  account: key => [accountPath(key), 'Account ', name(key)],
  validator: key => [`/validators/${key}`, 'Validator ', mono(key)],
};

const ASKED = 'Write a height, a hash, an account, a place such as 0:771, or a transaction’s id.';
const LOOKED_IN =
  'Hashes and ids are looked up in the latest blocks, names among the accounts that are kept; ' +
  'any block by its height, any transaction by partition:offset.';

export function show(root, {query, signal, title, go}) {
  const text = query.get('q')?.trim() ?? '';
  title(`Search: ${visible(text)}`);
  byId('q').value = text;
  if (text === '') {
    replace(root, h('h1', 'Search'), h('p.empty', ASKED));
    return;
  }
  loading(root, look(root, text, signal, go));
}

async function look(root, text, signal, go) {
  try {
    draw(root, text, (await get(`/v1/search?${new URLSearchParams({q: text})}`, signal)).results, go);
  } catch (error) {
    failed(root, error, h('h1', 'Search'));
  }
}

function draw(root, text, results, go) {
  if (results.length === 1) {
    // Back leads to where the question was asked, not here.
    go(PATHS[results[0].kind](results[0].key)[0], true);
    return;
  }
  const list = results.map(({kind, key, why}) => {
    const [href, ...label] = PATHS[kind](key);
    return h('li', h('a', {href}, label), note(why));
  });
  const isNone = list.length === 0;
  const account = h('a', {href: accountPath(text)}, 'Show the account of this name');
  replace(
    root,
    h('h1', isNone ? 'Nothing found' : count(list.length, 'result')),
    quiet('Looked for ', h('bdi.mono', visible(text)), '. ', isNone ? LOOKED_IN : null),
    isNone ? h('p', account, ' all the same: every name is one.') : h('ul.results', list),
  );
}
