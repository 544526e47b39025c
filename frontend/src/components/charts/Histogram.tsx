// One column of a dataset at a glance: a small histogram of numbers, or the most common values.
import { Tooltip } from '@mantine/core';
import type { ColumnProfile } from '@/lib/api/types';
import { formatCount, formatNumber } from '@/lib/format';
import css from './charts.module.css';

export function ColumnGlance({ column }: { column: ColumnProfile }) {
  if (column.histogram) {
    const most = Math.max(1, ...column.histogram.map(([, , count]) => count));
    return (
      <div className={css.histogram} role="img" aria-label={`${column.name}: from ${formatNumber(column.min)} to ${formatNumber(column.max)}`}>
        {column.histogram.map(([from, to, count]) => (
          <Tooltip key={from} label={`${formatNumber(from)} to ${formatNumber(to)}: ${formatCount(count)}`}>
            <span style={{ height: `${(100 * count) / most}%` }} />
          </Tooltip>
        ))}
      </div>
    );
  }
  if (column.top?.length) {
    return (
      <ul className={css.tops}>
        {column.top.map(([value, count]) => (
          <li key={value}>
            {value} <span>{formatCount(count)}</span>
          </li>
        ))}
      </ul>
    );
  }
  return <span>–</span>;
}
