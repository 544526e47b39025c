// A grey image as a grid to draw on: click or drag; each press of Enter or Space goes one step darker, and round again.
import { Button, Group } from '@mantine/core';
import { useState } from 'react';
import type { Tensor } from '@/lib/tensors';
import css from './playground.module.css';

export function Pixels({ tensor, onChange }: { tensor: Tensor; onChange: (values: number[]) => void }) {
  const [width, height] = [tensor.shape[3] ?? 1, tensor.shape[2] ?? 1];
  const [most] = useState(() => Math.max(1, ...tensor.values));
  const [drawing, setDrawing] = useState(false);
  const set = (index: number, value: number) => onChange(tensor.values.map((before, i) => (i === index ? value : before)));
  const step = (index: number) => {
    const value = (tensor.values[index] ?? 0) + most / 4;
    set(index, value > most + 1e-6 ? 0 : value);
  };
  return (
    <div>
      <div className={css.pixels} style={{ gridTemplateColumns: `repeat(${width}, 1fr)` }} role="group" aria-label={`Image, ${width} by ${height}`} onPointerUp={() => setDrawing(false)} onPointerLeave={() => setDrawing(false)}>
        {tensor.values.map((value, i) => (
          <button
            key={i}
            type="button"
            aria-label={`Row ${Math.floor(i / width) + 1}, column ${(i % width) + 1}: ${Math.round((100 * value) / most)} %`}
            style={{ '--v': Math.min(1, value / most) } as React.CSSProperties}
            onPointerDown={(event) => {
              event.currentTarget.releasePointerCapture(event.pointerId);
              setDrawing(true);
              step(i);
            }}
            onPointerEnter={() => drawing && set(i, most)}
            onClick={(event) => event.detail === 0 && step(i)}
          />
        ))}
      </div>
      <Group mt="xs">
        <Button size="compact-xs" variant="subtle" onClick={() => onChange(tensor.values.map(() => 0))}>
          Clear
        </Button>
      </Group>
    </div>
  );
}
