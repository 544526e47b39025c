// A person's or a dataset's thread: the swatch, the spoken name, and on hover or focus the whole id.
import { Tooltip } from '@mantine/core';
import type { CSSProperties, ReactNode } from 'react';
import { Link } from 'react-router';
import { useNetwork } from '@/lib/api/network';
import { words } from '@/lib/format';
import { usePrincipal } from '@/lib/identity/session';
import { datasetThread, personThread, type Thread } from '@/lib/thread';
import css from './thread.module.css';

/** Paints any element with a thread: spread onto it. */
export const paint = (thread: Thread, className = '') => ({
  className: `${css.paint} ${className}`,
  'data-pattern': thread.pattern,
  'data-ink': thread.ink,
  style: { '--c': `var(--thread-${thread.colour})` } as CSSProperties,
});

function Swatch({ thread, kind }: { thread: Thread; kind: 'person' | 'dataset' }) {
  return <span {...paint(thread, css.swatch)} data-kind={kind} aria-hidden />;
}

export interface PersonProps {
  principal: string;
  /** Without a link, for use within one. */
  plain?: boolean;
}

export function Person({ principal, plain = false }: PersonProps) {
  const thread = personThread(principal);
  const you = usePrincipal() === principal;
  const canister = useNetwork().data?.logs.find((log) => log.canister === principal);
  const inner = (
    <>
      <Swatch thread={thread} kind="person" />
      <span className={css.name}>
        {canister ? `${words(canister.name)} canister` : thread.name}
        {you && <span className={css.you}> (you)</span>}
      </span>
    </>
  );
  if (plain) return <span className={css.thread}>{inner}</span>;
  return (
    <Tooltip label={principal} ff="monospace" fz="xs">
      <Link className={css.thread} to={`/accounts/${principal}`}>
        {inner}
      </Link>
    </Tooltip>
  );
}

export interface DatasetNameProps {
  id: number;
  title?: ReactNode;
  plain?: boolean;
}

export function DatasetName({ id, title, plain = false }: DatasetNameProps) {
  const thread = datasetThread(id);
  const inner = (
    <>
      <Swatch thread={thread} kind="dataset" />
      <span className={css.name}>{title ?? thread.name}</span>
    </>
  );
  if (plain) return <span className={css.thread}>{inner}</span>;
  return (
    <Tooltip label={`Dataset ${id}, "${thread.name}"`} fz="xs">
      <Link className={css.thread} to={`/datasets/${id}`}>
        {inner}
      </Link>
    </Tooltip>
  );
}
