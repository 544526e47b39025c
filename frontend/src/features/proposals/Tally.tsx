// How a vote stands, against both thresholds: how much of all shares must say yes, and how much of what is cast.
import { Stack, Text } from '@mantine/core';
import type { ProposalSummary } from '@/lib/api/types';
import { formatBps } from '@/lib/format';
import css from './proposals.module.css';

interface Threshold {
  name: string;
  share: number;
  needed: number;
  /** Must be more than `needed`, not just as much. */
  strictly: boolean;
}

/** Ordinary: 3 % of all shares say yes, and more yes than no. Critical: 20 % of all, and 67 % of what is cast. */
export function thresholds(proposal: Pick<ProposalSummary, 'yes' | 'no' | 'total' | 'critical'>): Threshold[] {
  const cast = proposal.yes + proposal.no;
  const [ofAll, ofCast] = proposal.critical ? [20, 67] : [3, 50];
  return [
    { name: 'yes, of all shares', share: (100 * proposal.yes) / Math.max(1, proposal.total), needed: ofAll, strictly: false },
    { name: 'yes, of what was cast', share: cast === 0 ? 0 : (100 * proposal.yes) / cast, needed: ofCast, strictly: !proposal.critical },
  ];
}

export const met = ({ share, needed, strictly }: Threshold): boolean => (strictly ? share > needed : share >= needed);

export function Tally({ proposal }: { proposal: ProposalSummary }) {
  const share = (votes: number): number => (100 * votes) / Math.max(1, proposal.total);
  return (
    <Stack gap="sm">
      <div className={css.tally} role="img" aria-label={`Yes ${formatBps(100 * share(proposal.yes))}, no ${formatBps(100 * share(proposal.no))} of all shares`}>
        <span className={css.yes} style={{ width: `${share(proposal.yes)}%` }} />
        <span className={css.no} style={{ width: `${share(proposal.no)}%` }} />
      </div>
      <div className={css.sides}>
        <span>
          Yes <b>{formatBps(100 * share(proposal.yes))}</b>
        </span>
        <span>
          No <b>{formatBps(100 * share(proposal.no))}</b>
        </span>
      </div>
      {thresholds(proposal).map((threshold) => (
        <div key={threshold.name}>
          <div className={css.threshold}>
            <span style={{ width: `${Math.min(100, threshold.share)}%` }} />
            <i style={{ left: `${threshold.needed}%` }} />
          </div>
          <Text size="sm">
            {threshold.share.toFixed(1)} % {threshold.name}; {threshold.strictly ? 'more than ' : ''}
            {threshold.needed} % needed{met(threshold) ? ' ✓' : ''}
          </Text>
        </div>
      ))}
    </Stack>
  );
}
