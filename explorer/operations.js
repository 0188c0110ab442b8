// What a block did beside its records: fees, rewards, punishments.

import {fact, h, quiet, section} from './dom.js';
import {account, count, hash, number, offence, outcome, validatorLink} from './format.js';
import {places} from './seal.js';

export function operations({operations: list, header}) {
  const none = quiet('None: no fee, no reward, no punishment.');
  const lines = (list ?? []).map(one => h('li', sentence(one, header)));
  return section('Operations', lines.length === 0 ? none : h('ul.sentences', lines));
}

function sentence(one, header) {
  const paid = what => [account(one.account), ` ${what}. Balance: ${number(one.balance)}.`];
  switch (one.kind) {
    case 'fee':
    case 'miner_fee':
      return paid(`takes the fees of the block, ${number(one.amount)}`);
    case 'reward':
    case 'miner_reward':
      return paid(`is rewarded with ${number(one.amount)} new units`);
    case 'missed': {
      const silent = outcome('waiting', null, 'silent');
      return [silent, ' ', validatorLink(one.validator), ` was drawn in round ${one.round} and made no proposal.`];
    }
    case 'slash':
      return slash(one, header);
    default:
      return one.kind;
  }
}

function slash({validator, amount, evidence}, header) {
  const isTwice = evidence.kind === 'equivocation';
  const why = isTwice ? 'it signed two blocks at this height' : offence(evidence.reason ?? evidence.kind);
  const majority = 'with more than two thirds of the stake, the accused not voting, refuse it:';
  const refuse = isTwice ? '' : `${count(places(evidence.signers).length, 'validator')} ${majority}`;
  const headers = isTwice ? [evidence.first, evidence.second] : [evidence.header];
  return [
    outcome('slashed'),
    ' ',
    validatorLink(validator),
    ` loses its whole stake of ${number(amount)}: ${why}.`,
    h(
      'details.evidence',
      h('summary', 'Evidence'),
      h('p', isTwice ? 'Two headers for one turn, each with its signature:' : `What it signed; ${refuse}`),
      headers.map(signed),
      h('p', 'For comparison, the block that was sealed:'),
      signed({header}),
    ),
  ];
}

function signed({header, signature}) {
  return h(
    'dl.facts.single',
    fact('State root', hash(header.state_root)),
    fact('Transactions root', hash(header.transactions_root)),
    fact('Operations root', hash(header.operations_root)),
    signature && fact('Signature', hash(signature)),
  );
}
