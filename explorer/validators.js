// Validators: stake, turns, offences.

import { get, on } from './api.js';
import { stakeBar } from './chart.js';
import { explained, failed, h, loading, replace, table } from './dom.js';
import { account, balance, blockLink, hash, number, offence, outcome, percent, time, validatorLink } from './format.js';

export const nav = 'validators';

const COLUMNS = [
  { title: 'Validator' },
  { title: 'Stake', class: 'number' },
  { title: 'Share', class: 'number' },
  { title: 'Proposed', class: 'number' },
  { title: 'Expected', class: 'number' },
  { title: 'Silent turns', class: 'number' },
  { title: 'Earned', class: 'number' },
  { title: 'Status' },
];

export function show(root, { parts: [chosen], signal, title }) {
  title(chosen ?? 'Validators');
  let isAsking = false;
  const load = async () => {
    if (isAsking) return;
    isAsking = true;
    try {
      const [found, { offences }] = await Promise.all([get('/v1/validators', signal), get('/v1/offences', signal)]);
      draw(root, found, offences, chosen);
    } catch (error) {
      if (root.querySelector('table, .empty') === null) failed(root, error, h('h1', 'Validators'));
    }
    isAsking = false;
  };
  loading(root, 'Loading the validators', load());
  on('slash', load, signal);
  on('connection', (isConnected) => isConnected && load(), signal);
}

function draw(root, found, all, chosen) {
  if (found.validators.length === 0) {
    replace(root, h('h1', 'Validators'), h('p.empty', 'This chain has none: its blocks are mined. Each block says for whom.'));
    return;
  }
  const rows = found.validators.map((one) => ({
    attributes: { class: one.id === chosen ? 'chosen' : null },
    cells: [
      h('a', { href: one.id === chosen ? '/validators' : `/validators/${one.id}`, 'aria-expanded': one.id === chosen ? 'true' : 'false' }, one.id),
      number(one.stake),
      percent(one.share),
      number(one.proposed),
      one.status === 'slashed' ? '–' : number(Math.round(one.share * found.proposed_count)),
      number(one.missed),
      balance(one.balance),
      one.slashed_at_height === null ? outcome('active') : [outcome('slashed'), ' in ', blockLink(one.slashed_at_height, `block ${number(one.slashed_at_height)}`)],
    ],
  }));
  const made = table('Validators', COLUMNS, rows);
  made.classList.add('cards');
  const one = found.validators.find((validator) => validator.id === chosen);
  const offences = all.filter((other) => one === undefined || other.validator === one.id);
  replace(root, h('h1', 'Validators'),
    h('p.quiet', `${number(found.total_stake)} are at stake; a block needs the signatures of ${number(found.quorum_stake)}, more than two thirds. Who proposes is drawn by stake.`),
    stakeBar(found.validators), made,
    h('p.quiet', `Proposed: of the ${number(found.proposed_count)} blocks from ${number(found.proposed_from_height)} on that this server keeps. Expected: at today’s stake.`),
    chosen === undefined ? null : one === undefined ? h('p.problem', `There is no validator ${chosen}.`) : details(one),
    h('section', { 'aria-label': 'Offences' }, h('h2', 'Offences'),
      offences.length === 0 ? h('p.empty', `None: ${one ? one.id : 'nobody'} ${one ? 'did not cheat' : 'cheated'} in the blocks that this server has read.`)
        : h('ul.sentences', offences.map((other) => h('li', outcome('slashed'), ' ', validatorLink(other.validator), ' in ', blockLink(other.height, `block ${number(other.height)}`), `, round ${other.round}: ${offence(other.offence)}. Its whole stake of ${number(other.amount)} was burnt, `, time(other.sealed_ms), '. The evidence is in the block.')))));
}

function details(one) {
  return h('section.panel', { 'aria-label': one.id }, h('h2', one.id),
    h('dl.facts',
      explained('Account', 'Takes its fees and rewards; only the validator can send from it', account(one.account), h('span.mono.amount', balance(one.balance))),
      explained('Stake at the start', 'What the genesis gave it', number(one.genesis_stake)),
      explained('Proposal key', 'Ed25519: it signs what it proposes', hash(one.ed25519)),
      explained('Attestation key', 'BLS12-381: its reveals and attestations', hash(one.bls))));
}
