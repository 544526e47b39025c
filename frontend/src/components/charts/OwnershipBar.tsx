// Who owns a whole: one stacked bar of threads, and who is who beneath it.
import { Tooltip } from '@mantine/core';
import { formatBps } from '@/lib/format';
import { personThread } from '@/lib/thread';
import { Person, paint } from '../Thread';
import css from './charts.module.css';

export interface OwnershipBarProps {
  /** Parts in basis points of the whole. */
  parts: { owner: string; bps: number; note?: string }[];
  label: string;
}

export function OwnershipBar({ parts, label }: OwnershipBarProps) {
  const sorted = [...parts].sort((a, b) => b.bps - a.bps);
  return (
    <div>
      <div className={css.stackbar} role="img" aria-label={`${label}: ${sorted.map((part) => `${personThread(part.owner).name} ${formatBps(part.bps)}`).join(', ')}`}>
        {sorted.map((part, i) => {
          const painted = paint(personThread(part.owner));
          return (
            <Tooltip key={i} label={`${personThread(part.owner).name}: ${formatBps(part.bps)}`}>
              <span {...painted} style={{ ...painted.style, flex: `${part.bps} 0 0` }} />
            </Tooltip>
          );
        })}
      </div>
      <ul className={css.legend}>
        {sorted.map((part, i) => (
          <li key={i}>
            <span>
              <Person principal={part.owner} />
              {part.note && <small> {part.note}</small>}
            </span>
            <b>{formatBps(part.bps)}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}
