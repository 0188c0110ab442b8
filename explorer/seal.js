// The seal of a block: who proposed it, and who signed.

import {sealRing, stakeOf} from './chart.js';
import {h, panel, quiet} from './dom.js';
import {account, count, hash, number, percent, validatorLink} from './format.js';

export function seal({header, seal: own}, validators) {
  const {author} = header;
  if (!own) return panel('Seal', h('p', 'Block 0 follows from the genesis: no validator proposes or seals it.'));
  if (own.kind === 'work') {
    const proof = `Proof ${number(own.proof)}, against a difficulty of ${number(author.difficulty)}.`;
    return panel('Seal', h('p', 'Mined for ', account(author.miner), '.'), quiet(proof));
  }
  if (own.kind !== 'stake') return panel('Seal', h('p', `A seal of the kind ${own.kind}.`));
  const failures = `in round ${author.round}: ${count(author.round, 'validator')} drawn before it failed.`;
  const how = author.round === 0 ? 'was drawn by stake and proposed the block.' : `proposed it ${failures}`;
  return panel(
    'Seal',
    signatures(committee(validators, header.height), places(own.signers), author.proposer),
    quiet(`${author.proposer} ${how}`),
    quiet('Drawn from seed ', hash(author.seed)),
  );
}

function signatures(all, signed, proposer) {
  if (all.length === 0) {
    return quiet(`${count(signed.length, 'validator')} signed; this server does not say who.`);
  }
  const signers = new Set(signed.map(place => all[place]?.id));
  const total = stakeOf(all) || 1;
  const line = ({id, stake}) => {
    const isSigner = signers.has(id);
    const tag = id === proposer ? h('span.tag', 'proposed') : null;
    return h(
      'li',
      h(`span.tick.${isSigner ? 'yes' : 'no'}`, {'aria-hidden': true}),
      validatorLink(id),
      h('span', tag, isSigner ? 'signed' : 'did not sign'),
      h('span.number', percent(stake / total)),
    );
  };
  const list = all.filter(one => one.stake > 0).map(line);
  return [sealRing(all, signers, proposer), h('ul.legend.signers', list)];
}

// Stake as it was when the block was decided: a validator that was slashed later had its own still.
function committee(validators, height) {
  return (validators?.validators ?? []).map(one => ({
    ...one,
    stake: one.slashed_at_height !== null && one.slashed_at_height < height ? 0 : one.genesis_stake,
  }));
}

// A set of validators by place: bit place % 8, least significant first, of byte place / 8.
export function places(hex) {
  const found = [];
  for (let at = 0; at < hex.length / 2; at += 1) {
    const byte = Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16);
    for (let bit = 0; bit < 8; bit += 1) if (byte & (1 << bit)) found.push(at * 8 + bit);
  }
  return found;
}
