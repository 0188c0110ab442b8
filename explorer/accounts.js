// Accounts: the largest, and those whose names begin so.

import {pages} from './api.js';
import {failed, h, pagedTable, quiet, replace, searchBox} from './dom.js';
import {account, blockNamed, number} from './format.js';

const HEADINGS = ['Account', '#Balance', '#Next nonce'];

export function show(root, {query, signal, title}) {
  title('Accounts');
  const list = h('div');
  let asked = 0;
  const look = async () => {
    asked += 1;
    const mine = asked;
    const prefix = box.value.trim();
    const wanted = prefix === '' ? {order: 'balance'} : {prefix};
    const page = pages('/v1/accounts', {limit: 100, ...wanted}, signal);
    try {
      const found = await page();
      if (mine === asked) draw(list, found, prefix, page);
    } catch (error) {
      if (mine === asked) failed(list, error);
    }
  };
  let timer = 0;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const prefix = box.value.trim();
      history.replaceState(null, '', prefix === '' ? '/accounts' : `/accounts?${new URLSearchParams({prefix})}`);
      look();
    }, 150);
  };
  const value = query.get('prefix') ?? '';
  const box = searchBox({value, maxlength: 128, placeholder: 'all, the largest first', oninput: later});
  replace(root, h('h1', 'Accounts'), h('div.filter', h('label', h('span', 'Name begins with'), box)), list);
  look();
}

function draw(list, found, prefix, page) {
  if (found.accounts.length === 0) {
    const isAny = prefix === '';
    const none = isAny
      ? 'The chain keeps no account yet.'
      : 'No account that the chain keeps has a name that begins so.';
    replace(list, h('p.empty', none));
    return;
  }
  const what = prefix === '' ? 'The largest accounts at ' : 'By name, at ';
  const end = prefix !== '' || found.is_complete ? '.' : ', among the first million by name.';
  const rows = ({accounts}) => accounts.map(one => [account(one.name), number(one.balance), number(one.nonce)]);
  const made = pagedTable('Accounts', HEADINGS, rows, {first: found, page, words: 'More', classes: '.narrow'});
  replace(list, quiet(what, blockNamed(found.height), end), made);
}
