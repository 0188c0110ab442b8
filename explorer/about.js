// What this chain is, and what its seals prove.

import { known, on } from './api.js';
import { fact, h, replace } from './dom.js';
import { balance, bytes, count, duration, hash, number } from './format.js';

export const nav = 'about';

export function show(root, { signal, title }) {
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
  const { parameters, topics, supply } = status;
  replace(root, h('h1', 'About'),
    h('section.panel', h('h2', 'What a seal proves here, and what not'), h('p', status.trust),
      h('p', 'What does not have to be believed: that the chain follows from its input, nothing dropped, reordered or invented. Any reader of the topics can compute it again:'),
      h('pre', `cairn verify --blockchain ${topics.blockchain} --transactions ${topics.transactions} \\\n    --genesis-hash ${status.genesis}`)),
    status.trouble ? h('p.problem', `The blockchain topic holds something that is not the chain’s: ${status.trouble}`) : null,
    h('section', h('h2', 'The chain'), h('dl.facts',
      fact('Name', h('bdi', status.chain_id)), fact('Genesis', hash(status.genesis, '/block/0')),
      fact('Consensus', parameters.committee ? `by ${parameters.consensus}, committee ${parameters.committee}` : `by ${parameters.consensus}`),
      fact('A block holds at most', `${count(parameters.block_max_transactions, 'transaction')}, ${bytes(parameters.block_max_bytes)}`),
      fact('Its first record waits at most', duration(parameters.block_max_age_ms)),
      fact('Event-time window', parameters.block_window_ms === 0 ? 'none' : duration(parameters.block_window_ms)),
      fact('Balances', parameters.balances === 'strict' ? 'never below zero' : `down to ${balance(-parameters.overdraft_max)}`),
      fact('Signatures', { required: 'on every transaction', when_keyed: 'from accounts named after a key', off: 'not looked at' }[parameters.signatures] ?? parameters.signatures),
      fact('Fee', number(parameters.fee)), fact('Reward of a block', number(parameters.reward)),
      fact('Ids are remembered for', count(parameters.ids_remember_blocks, 'active block'))) ),
    supply === null ? null : h('section', h('h2', 'Supply'), h('p', `${number(supply.current)} = ${number(supply.genesis)} at the start + ${number(supply.minted)} minted \u2212 ${number(supply.burnt)} burnt, in balances and stakes.`)),
    h('section', h('h2', 'Topics'), h('dl.facts', fact('Transactions', h('span.mono', topics.transactions)), fact('Blocks', h('span.mono', topics.blockchain)), fact('Offences', h('span.mono', topics.evidence)))),
    h('section', h('h2', 'This server'), h('dl.facts', fact('Version', `Cairn ${status.version}`),
      fact('Looks up transfers and hashes', status.indexed_from_height === null ? 'in no block yet' : `in the blocks from ${number(status.indexed_from_height)} on`),
      fact('For programs', h('span.text', h('a', { href: '/v1/openapi.json' }, 'API'), ' (OpenAPI), ', h('a', { href: '/metrics' }, 'metrics'), ' (OpenMetrics), ', h('a', { href: '/v1/status' }, 'status'), ' (JSON)')))));
}
