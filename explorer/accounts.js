// Accounts: the largest, and those whose names begin so.

import { get } from './api.js';
import { failed, h, more, replace, table } from './dom.js';
import { account, balance, blockLink, number } from './format.js';

export const nav = 'accounts';

const COLUMNS = [{ title: 'Account' }, { title: 'Balance', class: 'number' }, { title: 'Next nonce', class: 'number' }];

export function show(root, { query, signal, title }) {
  title('Accounts');
  const list = h('div');
  const box = h('input', { type: 'search', value: query.get('prefix') ?? '', spellcheck: 'false', autocomplete: 'off', maxlength: 128, placeholder: 'all, the largest first' });
  let asked = 0;
  const look = async (cursor) => {
    asked += 1;
    const mine = asked;
    const prefix = box.value.trim();
    const path = prefix === '' ? '/v1/accounts?order=balance&limit=100' : `/v1/accounts?limit=100&prefix=${encodeURIComponent(prefix)}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`;
    try {
      const found = await get(path, signal);
      if (mine === asked) draw(list, found, prefix, look, Boolean(cursor));
    } catch (error) {
      if (mine === asked) failed(list, error);
    }
  };
  let timer = 0;
  box.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const prefix = box.value.trim();
      history.replaceState(null, '', prefix === '' ? '/accounts' : `/accounts?prefix=${encodeURIComponent(prefix)}`);
      look();
    }, 150);
  });
  replace(root, h('h1', 'Accounts'), h('div.filter', h('label', h('span', 'Name begins with'), box)), list);
  look();
}

function draw(list, found, prefix, look, isMore) {
  const rows = found.accounts.map((one) => [account(one.name), balance(one.balance), number(one.nonce)]);
  const made = table('Accounts', COLUMNS, rows);
  made.classList.add('cards', 'narrow');
  if (isMore) {
    list.querySelector('tbody').append(...made.tBodies[0].rows);
    list.querySelector('.more-line')?.remove();
  } else {
    const what = prefix === '' ? ['The largest accounts at ', blockLink(found.height, `block ${number(found.height)}`), found.is_complete ? '.' : ', among the first million by name.']
      : ['By name, at ', blockLink(found.height, `block ${number(found.height)}`), '.'];
    replace(list, rows.length === 0 ? h('p.empty', prefix === '' ? 'The chain keeps no account yet.' : 'No account that the chain keeps has a name that begins so.') : [h('p.quiet', what), made]);
  }
  if (found.next !== null) list.append(more('More', () => look(found.next)));
}
