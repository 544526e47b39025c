// Training as it goes: loss on the data trained on and on the data held out, with one hover for both.
import { useState } from 'react';
import { formatNumber } from '@/lib/format';
import css from './charts.module.css';
import { WithTable } from './WithTable';

export interface Epoch {
  epoch: number;
  train_loss: number;
  validation_loss: number;
  accuracy?: number;
}

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [640, 220, 44, 24];
const SERIES = [
  ['train_loss', 'training loss', 'var(--thread-4)', undefined],
  ['validation_loss', 'validation loss', 'var(--thread-5)', '6 4'],
] as const;

export function LossCurve({ epochs }: { epochs: Epoch[] }) {
  const [hovered, setHovered] = useState<number | null>(null);
  const losses = epochs.flatMap((e) => [e.train_loss, e.validation_loss]).filter(Number.isFinite);
  const most = Math.max(...losses, 1e-9);
  const x = (i: number): number => LEFT + ((WIDTH - LEFT - 8) * i) / Math.max(1, epochs.length - 1);
  const y = (loss: number): number => 8 + (HEIGHT - BOTTOM - 8) * (1 - loss / most);
  const chosen = epochs[hovered ?? epochs.length - 1];
  const follow = (event: React.PointerEvent<SVGSVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width) * WIDTH;
    setHovered(Math.max(0, Math.min(epochs.length - 1, Math.round(((share - LEFT) / (WIDTH - LEFT - 8)) * (epochs.length - 1)))));
  };
  return (
    <WithTable
      caption="Loss by epoch"
      head={['Epoch', 'Training loss', 'Validation loss', 'Accuracy']}
      rows={epochs.map((e) => [e.epoch, formatNumber(e.train_loss), formatNumber(e.validation_loss), formatNumber(e.accuracy)])}
    >
      <svg className={css.chart} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Loss over ${epochs.length} epochs`} onPointerMove={follow} onPointerLeave={() => setHovered(null)}>
        {[0, 0.5, 1].map((share) => (
          <g key={share}>
            <line className={css.axis} x1={LEFT} x2={WIDTH - 8} y1={y(share * most)} y2={y(share * most)} />
            <text className={css.tick} x={LEFT - 8} y={y(share * most) + 4} textAnchor="end">
              {formatNumber(share * most)}
            </text>
          </g>
        ))}
        {SERIES.map(([key, , colour, dash]) => (
          <polyline key={key} fill="none" stroke={colour} strokeWidth={2} strokeDasharray={dash} points={epochs.map((e, i) => `${x(i)},${y(e[key])}`).join(' ')} />
        ))}
        {hovered !== null && <line className={css.zero} x1={x(hovered)} x2={x(hovered)} y1={8} y2={HEIGHT - BOTTOM} />}
        <text className={css.tick} x={LEFT} y={HEIGHT - 6}>
          epoch {epochs[0]?.epoch ?? 0}
        </text>
        <text className={css.tick} x={WIDTH - 8} y={HEIGHT - 6} textAnchor="end">
          epoch {epochs[epochs.length - 1]?.epoch ?? 0}
        </text>
      </svg>
      {chosen && (
        <div className={css.curvekey}>
          <span>epoch {chosen.epoch}</span>
          {SERIES.map(([key, name, colour, dash]) => (
            <span key={key}>
              <i style={{ borderColor: colour, borderTopStyle: dash ? 'dashed' : 'solid' }} />
              {name} {formatNumber(chosen[key])}
            </span>
          ))}
          {chosen.accuracy !== undefined && <span>accuracy {formatNumber(chosen.accuracy)}</span>}
        </div>
      )}
    </WithTable>
  );
}
