// Small things said the same way everywhere: amounts, times, hashes, states, lists of facts.
import { Tooltip, VisuallyHidden } from '@mantine/core';
import { useEffect, useState, type ReactNode } from 'react';
import { useSymbol } from '@/lib/api/network';
import { formatAbsolute, formatE8s, formatRelative, formatSpan, shorten, words } from '@/lib/format';
import { nowNs, type E8s, type E8sText, type Nanos, type NanosText } from '@/lib/units';
import css from './facts.module.css';

export function Amount({ e8s }: { e8s: E8s | E8sText }) {
  const symbol = useSymbol();
  return (
    <span className={css.amount}>
      {formatE8s(e8s)} <span className={css.unit}>{symbol}</span>
    </span>
  );
}

/** The time now, renewed so that what is shown stays true. */
export function useNow(everyMs = 10_000): Nanos {
  const [now, setNow] = useState(nowNs);
  useEffect(() => {
    const timer = setInterval(() => setNow(nowNs()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** A time as people say it; the absolute one on hover and focus. */
export function When({ ns }: { ns: Nanos | NanosText }) {
  const now = useNow();
  const whole = formatAbsolute(ns);
  return (
    <Tooltip label={whole} fz="xs">
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- the absolute time must be reachable by keyboard */}
      <time className={css.when} dateTime={new Date(Number(BigInt(ns) / 1_000_000n)).toISOString()} tabIndex={0} aria-label={`${formatRelative(ns, now)}, ${whole}`}>
        {formatRelative(ns, now)}
      </time>
    </Tooltip>
  );
}

/** How long is left, by the second when it gets short. */
export function TimeLeft({ until, over = 'over' }: { until: Nanos | NanosText; over?: string }) {
  const now = useNow(1_000);
  const left = BigInt(until) - now;
  return <span className={css.amount}>{left > 0n ? `${formatSpan(left)} left` : over}</span>;
}

/** A hash, key or principal: shortened, whole on focus, copied by a click. */
export function Hash({ value, label = 'hash', whole = false }: { value: string; label?: string; whole?: boolean }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), 1_500);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () => {
    void navigator.clipboard.writeText(value).then(() => setCopied(true));
  };
  return (
    <Tooltip label={copied ? 'Copied' : 'Copy'} fz="xs">
      <button type="button" className={css.hash} onClick={copy}>
        <VisuallyHidden>Copy {label} </VisuallyHidden>
        {whole ? (
          value
        ) : (
          <>
            <span className={css.short}>{shorten(value, 8, 6)}</span>
            <span className={css.whole}>{value}</span>
          </>
        )}
      </button>
    </Tooltip>
  );
}

export function Facts({ children }: { children: ReactNode }) {
  return <dl className={css.facts}>{children}</dl>;
}
export function Fact({ name, children }: { name: ReactNode; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

type Tone = 'waits' | 'done' | 'loss' | 'works' | 'plain';
const TONES: Readonly<Record<string, Tone>> = {
  proposed: 'waits', approved: 'works', funded: 'waits', claimed: 'works', running: 'works', submitted: 'works', settled: 'done',
  denied: 'loss', expired: 'loss', failed: 'loss', cancelled: 'plain', revoked: 'loss',
  voting: 'waits', adopted: 'works', installing: 'works', live: 'done', executed: 'done', rejected: 'loss', superseded: 'plain',
  pending: 'waits', active: 'done', withdrawn: 'loss', no_release: 'waits',
  AutoApprove: 'done', Ask: 'waits', Deny: 'loss',
};
const SAID: Readonly<Record<string, string>> = {
  proposed: 'Waits for approvals', approved: 'Approved, not funded', funded: 'Waits for a worker', no_release: 'No release yet', live: 'Live', voting: 'Voting',
  AutoApprove: 'Approves by itself', Ask: 'Asks its owner', Deny: 'Denies', pending: 'Waiting',
};

/** A state in a word, coloured by what it means. */
export function State({ of, said }: { of: string; said?: string }) {
  return (
    <span className={css.badge} data-tone={TONES[of] ?? 'plain'}>
      {said ?? SAID[of] ?? words(of)}
    </span>
  );
}
