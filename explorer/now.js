// What is happening: how the chain does, the last blocks, who seals them, who cheated.

import {get, known, on} from './api.js';
import {sparkline, stakeBar, stakeOf} from './chart.js';
import {tryIt} from './demo.js';
import {failed, h, note, panel, quiet, replace, say, tip} from './dom.js';
import {nowMs, number, offence, offenceLine, outcome, percent, time, validatorLink} from './format.js';
import {LatestBlocks} from './latest.js';

const STALE_MS = 10000;
const OFFENCES_MAX = 5;

export function show(root, {signal, title}) {
  title('Now');
  const figures = h('dl.figures');
  const latest = new LatestBlocks(signal);
  const [stakes, offences] = ['Validators', 'Last offences'].map(name => panel(name, quiet('Loading…')));
  const demo = h('div.demo');
  const aside = h('aside', demo, stakes, offences);
  replace(root, h('h1.hidden', 'Now'), figures, h('div.columns', latest.section(), aside));

  let validators = [];
  let newest = null;
  const draw = () => {
    const {status} = known;
    if (status === null) return;
    if (latest.isEmpty && status.last) latest.begin();
    const isNewer = newest !== null && newest.height > (status.last?.height ?? -1);
    drawFigures(figures, status, isNewer ? newest : status.last, validators);
    if (status.takes_transfers && demo.childElementCount === 0) demo.append(tryIt(() => validators, signal));
  };
  const who = async () => {
    validators = (await drawStakes(stakes, signal)) ?? validators;
    draw();
  };
  const caught = found => {
    const lost = `It loses its stake of ${number(found.amount)}.`;
    say(`${found.validator} cheated: ${offence(found.offence)}. ${lost}`);
    who();
    drawOffences(offences, signal);
  };
  const sealed = block => {
    newest = block;
    draw();
  };
  on('status', draw, signal);
  on('block', sealed, signal);
  on('slash', caught, signal);
  draw();
  latest.begin();
  who();
  drawOffences(offences, signal);
}

// ---- Figures

function drawFigures(figures, status, last, validators) {
  const {activity, parameters} = status;
  const isStale = last && nowMs() - last.sealed_ms > STALE_MS;
  const large = text => h('span.large', text);
  const figure = (label, value, more, why) => h('div.figure', h('dt', tip(why), label), h('dd', value, more));
  const height = last ? h('a', {href: `/block/${last.height}`}, number(last.height)) : '–';
  const counts = `in steps of ten seconds: ${activity.transactions.join(', ')}`;
  const columns = sparkline(activity.transactions, `Transactions in the last five minutes, ${counts}`);
  const rateTip = 'In blocks of the last ten to twenty seconds; the columns are the last five minutes';
  const {recent, recent_rejected: rejected} = activity;
  const share = recent > 0 ? note(percent(rejected / recent)) : null;
  const signed = () =>
    figure('Stake that signs', large(signing(last, validators)), note('over 66.7 % needed'), 'Of the last block');
  replace(
    figures,
    figure('Height', large(height)),
    figure('Transactions per second', large(rate(status)), columns, rateTip),
    figure('Last block', last ? large(time(last.sealed_ms)) : large('–'), isStale ? note('no newer block') : null),
    figure(`Rejected, last ${number(Math.max(1, recent))}`, large(number(rejected)), share),
    parameters.consensus === 'work' ? null : signed(),
  );
}

// The interval that goes on, and the whole one before it, if there was anything.
function rate({activity, now_ms: now}) {
  const [before, current] = activity.transactions.slice(-2);
  const currentMs = Math.max(1000, now % activity.interval_ms);
  const perSecond = ((before + current) * 1000) / (before > 0 ? currentMs + activity.interval_ms : currentMs);
  return perSecond >= 10 ? number(perSecond) : perSecond.toFixed(1);
}

function signing(last, validators) {
  const total = stakeOf(validators);
  if (!last || last.signers.length === 0 || total === 0) return '–';
  return percent(last.signers.reduce((sum, place) => sum + (validators[place]?.stake ?? 0), 0) / total);
}

// ---- Beside the blocks

// Draws them, and answers who they are; nothing where that cannot be known.
async function drawStakes(place, signal) {
  const heading = h('h2', 'Validators by stake');
  try {
    const {validators} = await get('/v1/validators', signal);
    const mined = quiet('None: the blocks of this chain are mined.');
    replace(place, heading, validators.length === 0 ? mined : [stakeBar(validators), legend(validators)]);
    return validators;
  } catch (error) {
    failed(place, error, heading);
    return null;
  }
}

function legend(validators) {
  let shade = 0;
  const line = ({id, stake, status, share}) => {
    const swatch = stake === 0 ? 'none' : `shade.shade-${shade++ % 5}`;
    const worth = status === 'slashed' ? outcome('slashed') : percent(share);
    return h('li', h(`span.swatch.${swatch}`, {'aria-hidden': true}), validatorLink(id), h('span.number', worth));
  };
  return h('ul.legend', validators.map(line));
}

async function drawOffences(place, signal) {
  const heading = h('h2', 'Last offences');
  try {
    const {offences} = await get('/v1/offences', signal);
    const none = quiet('None: no validator cheated in the blocks that this server has read.');
    const list = offences.slice(0, OFFENCES_MAX).map(offenceLine);
    replace(place, heading, list.length === 0 ? none : h('ul.offences', list));
  } catch (error) {
    failed(place, error, heading);
  }
}
