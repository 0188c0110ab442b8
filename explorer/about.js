// What this chain is, and what its seals prove.

import {known, on} from './api.js';
import {fact, h, mono, panel, replace, section} from './dom.js';
import {bytes, count, duration, hash, number} from './format.js';

const SIGNATURES = {
  required: 'on every transaction',
  when_keyed: 'from accounts named after a key',
  off: 'not looked at',
};

export function show(root, {signal, title}) {
  title('About');
  let isShown = false;
  const draw = () => {
    if (known.status === null || isShown) return;
    isShown = true;
    page(root, known.status);
  };
  replace(root, h('h1', 'About'), h('p.loading', 'Loading…'));
  draw();
  on('status', draw, signal);
}

function page(root, status) {
  const {topics, supply} = status;
  const names = [
    fact('Transactions', mono(topics.transactions)),
    fact('Blocks', mono(topics.blockchain)),
    fact('Offences', mono(topics.evidence)),
  ];
  const trouble = `The blockchain topic holds something that is not the chain’s: ${status.trouble}`;
  replace(
    root,
    h('h1', 'About'),
    seals(status),
    status.trouble ? h('p.problem', trouble) : null,
    section('The chain', h('dl.facts', chain(status))),
    supply && section('Supply', h('p', sum(supply))),
    section('Topics', h('dl.facts', names)),
    section('This server', h('dl.facts', server(status))),
  );
}

function sum({current, genesis, minted, burnt}) {
  const parts = `${number(genesis)} at the start + ${number(minted)} minted \u2212 ${number(burnt)} burnt`;
  return `${number(current)} = ${parts}, in balances and stakes.`;
}

function seals({trust, topics, genesis}) {
  const command = [
    `cairn verify --blockchain ${topics.blockchain} --transactions ${topics.transactions} \\`,
    `    --genesis-hash ${genesis}`,
  ];
  const computed =
    'What does not have to be believed: that the chain follows from its input, nothing dropped, ' +
    'reordered or invented. Any reader of the topics can compute it again:';
  return panel('What a seal proves here, and what not', h('p', trust), h('p', computed), h('pre', command.join('\n')));
}

function chain({chain_id: id, genesis, parameters}) {
  const committee = parameters.committee ? `, committee ${parameters.committee}` : '';
  const most = count(parameters.block_max_transactions, 'transaction');
  const window = parameters.block_window_ms;
  const floor = parameters.balances === 'strict' ? 'never below zero' : `down to ${number(-parameters.overdraft_max)}`;
  return [
    fact('Name', h('bdi', id)),
    fact('Genesis', hash(genesis, '/block/0')),
    fact('Consensus', `by ${parameters.consensus}${committee}`),
    fact('A block holds at most', `${most}, ${bytes(parameters.block_max_bytes)}`),
    fact('Its first record waits at most', duration(parameters.block_max_age_ms)),
    fact('Event-time window', window === 0 ? 'none' : duration(window)),
    fact('Balances', floor),
    fact('Signatures', SIGNATURES[parameters.signatures] ?? parameters.signatures),
    fact('Fee', number(parameters.fee)),
    fact('Reward of a block', number(parameters.reward)),
    fact('Ids are remembered for', count(parameters.ids_remember_blocks, 'active block')),
  ];
}

function server({version, indexed_from_height: from}) {
  return [
    fact('Version', `Cairn ${version}`),
    fact('Looks up transfers and hashes', from === null ? 'in no block yet' : `in the blocks from ${number(from)} on`),
  ];
}
