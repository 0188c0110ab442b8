// Validators: stake, turns, offences.

import {get, on} from './api.js';
import {stakeBar} from './chart.js';
import {explained, failed, h, loading, panel, quiet, replace, section, table} from './dom.js';
import {account, blockNamed, hash, number, offenceLine, outcome, percent} from './format.js';

const HEADINGS = ['Validator', '#Stake', '#Share', '#Proposed', '#Expected', '#Silent turns', '#Earned', 'Status'];

export function show(root, {parts: [chosen], signal, title}) {
  title(chosen ?? 'Validators');
  let isAsking = false;
  const load = async () => {
    if (isAsking) return;
    isAsking = true;
    try {
      const [found, {offences}] = await Promise.all([get('/v1/validators', signal), get('/v1/offences', signal)]);
      draw(root, found, offences, chosen);
    } catch (error) {
      if (root.querySelector('table, .empty') === null) failed(root, error, h('h1', 'Validators'));
    }
    isAsking = false;
  };
  loading(root, load());
  on('slash', load, signal);
  on('connection', isConnected => isConnected && load(), signal);
}

function draw(root, found, offences, chosen) {
  const heading = h('h1', 'Validators');
  if (found.validators.length === 0) {
    replace(root, heading, h('p.empty', 'This chain has none: its blocks are mined. Each block says for whom.'));
    return;
  }
  const rows = found.validators.map(validator => row(validator, found.proposed_count, chosen));
  const quorum = `a block needs the signatures of ${number(found.quorum_stake)}, more than two thirds.`;
  const from = `from ${number(found.proposed_from_height)} on that this server keeps`;
  const one = found.validators.find(validator => validator.id === chosen);
  const unknown = chosen === undefined ? null : h('p.problem', `There is no validator ${chosen}.`);
  replace(
    root,
    heading,
    quiet(`${number(found.total_stake)} are at stake; ${quorum} Who proposes is drawn by stake.`),
    stakeBar(found.validators),
    table('Validators', HEADINGS, rows),
    quiet(`Proposed: of the ${number(found.proposed_count)} blocks ${from}. Expected: at today’s stake.`),
    one ? details(one) : unknown,
    section('Offences', listOf(offences, one)),
  );
}

function row(one, count, chosen) {
  const isChosen = one.id === chosen;
  const link = {href: isChosen ? '/validators' : `/validators/${one.id}`, 'aria-expanded': String(isChosen)};
  const slashed = () => [outcome('slashed'), ' in ', blockNamed(one.slashed_at_height)];
  const cells = [
    h('a', link, one.id),
    number(one.stake),
    percent(one.share),
    number(one.proposed),
    one.status === 'slashed' ? '–' : number(one.share * count),
    number(one.missed),
    number(one.balance),
    one.slashed_at_height === null ? outcome('active') : slashed(),
  ];
  return {attributes: {class: isChosen ? 'chosen' : null}, cells};
}

function listOf(offences, one) {
  const found = offences.filter(other => one === undefined || other.validator === one.id);
  const none = one ? `${one.id} did not cheat` : 'nobody cheated';
  if (found.length === 0) return h('p.empty', `None: ${none} in the blocks that this server has read.`);
  return [h('ul.sentences', found.map(offenceLine)), quiet('The evidence is in the blocks.')];
}

function details(one) {
  const earned = 'Takes its fees and rewards; only the validator can send from it';
  const facts = [
    explained('Account', earned, account(one.account), h('span.mono.amount', number(one.balance))),
    explained('Stake at the start', 'What the genesis gave it', number(one.genesis_stake)),
    explained('Proposal key', 'Ed25519: it signs what it proposes', hash(one.ed25519)),
    explained('Attestation key', 'BLS12-381: its reveals and attestations', hash(one.bls)),
  ];
  return panel(one.id, h('dl.facts', facts));
}
