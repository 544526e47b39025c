// What each contributor's data was worth to the result: a bar in their thread, a whisker for the interval, a line at zero.
import type { Attribution } from '@/lib/api/types';
import { formatBps, formatPpm } from '@/lib/format';
import { datasetThread } from '@/lib/thread';
import { DatasetName, Person, paint } from '../Thread';
import css from './charts.module.css';
import { WithTable } from './WithTable';

export interface AttributionBarsProps {
  rows: Attribution[];
  /** What the values are units of: "accuracy". */
  utility: string;
}

export function AttributionBars({ rows, utility }: AttributionBarsProps) {
  const low = Math.min(0, ...rows.map((row) => row.low_ppm), ...rows.map((row) => row.value_ppm));
  const high = Math.max(1, ...rows.map((row) => row.high_ppm), ...rows.map((row) => row.value_ppm));
  const at = (ppm: number): number => (100 * (ppm - low)) / (high - low);
  return (
    <WithTable
      caption={`Attribution in ${utility}`}
      head={['Dataset', 'Owner', `Value (${utility})`, 'From', 'To', 'Share']}
      rows={rows.map((row) => [
        <DatasetName key="d" id={row.dataset_id} title={row.dataset_title} />,
        <Person key="o" principal={row.owner} />,
        formatPpm(row.value_ppm),
        formatPpm(row.low_ppm),
        formatPpm(row.high_ppm),
        formatBps(row.share_bps),
      ])}
    >
      <div className={css.rows} role="group" aria-label={`Attribution in ${utility}`}>
        {rows.map((row) => (
          <Row key={row.dataset_id} row={row} at={at} />
        ))}
      </div>
    </WithTable>
  );
}

function Row({ row, at }: { row: Attribution; at: (ppm: number) => number }) {
  const [from, to] = [Math.min(at(0), at(row.value_ppm)), Math.max(at(0), at(row.value_ppm))];
  const painted = paint(datasetThread(row.dataset_id), css.bar);
  return (
    <div className={css.row}>
      <DatasetName id={row.dataset_id} title={row.dataset_title} />
      <div className={css.track} role="img" aria-label={`${row.dataset_title}: ${formatPpm(row.value_ppm)}, between ${formatPpm(row.low_ppm)} and ${formatPpm(row.high_ppm)}`} style={{ '--zero': `${at(0)}%` } as React.CSSProperties}>
        <span {...painted} style={{ ...painted.style, left: `${from}%`, width: `max(2px, ${to - from}%)` }} />
        <span className={css.range} style={{ left: `${at(row.low_ppm)}%`, width: `${at(row.high_ppm) - at(row.low_ppm)}%` }} />
      </div>
      <div className={css.figure}>
        {formatPpm(row.value_ppm)}
        <small>{formatBps(row.share_bps)}</small>
      </div>
    </div>
  );
}
