// A model's answer with its receipt: what it said, that the network certified it, how it compares, who was paid.
import { Button, Group, Stack, Table, Text } from '@mantine/core';
import { Fragment } from 'react';
import { Amount, Fact, Facts, Hash } from '@/components/facts';
import { HowDoWeKnow } from '@/components/HowDoWeKnow';
import { Scroll } from '@/components/layout';
import { Person } from '@/components/Thread';
import type { Model } from '@/lib/api/types';
import { formatCount } from '@/lib/format';
import { saveAs } from '@/lib/save';
import type { Tensor } from '@/lib/tensors';
import type { PaidAnswer } from './ask';
import css from './playground.module.css';

export interface AnswerProps {
  answer: PaidAnswer;
  classes: string[];
  /** What ONNX Runtime answered to the same input, when it is one of the release's own. */
  expected: Tensor[] | null;
  model: Pick<Model, 'canister' | 'live'>;
}

export function Answer({ answer, classes, expected, model }: AnswerProps) {
  const difference = expected && largestDifference(answer.outputs, expected);
  return (
    <div className={css.receipt} role="status" aria-label="The model's answer">
      <Stack>
        {answer.outputs.map((output) => (
          <Probabilities key={output.name} output={output} classes={classes} />
        ))}
        <Text size="sm" fw={600}>
          ✓ Certified by the network, and verified in this page
        </Text>
        <Facts>
          {difference !== null && <Fact name="Against ONNX Runtime">largest difference {difference.toExponential(1)}</Fact>}
          <Fact name="Release">
            <Hash value={answer.manifest_hash} label="manifest hash" /> {model.live?.manifest_hash === answer.manifest_hash ? '(the live one)' : '(not the one this page shows: load it again)'}
          </Fact>
          <Fact name="Instructions">{formatCount(answer.instructions)}</Fact>
          <Fact name="Paid">
            <Amount e8s={answer.price} />
          </Fact>
        </Facts>
        {answer.parts.length > 0 && (
          <details>
            <summary>Who was paid what</summary>
            <Scroll label="Parts">
              <Table aria-label="Parts">
                <Table.Tbody>
                  {answer.parts.map((part) => (
                    <Table.Tr key={part.owner}>
                      <Table.Td>
                        <Person principal={part.owner} />
                      </Table.Td>
                      <Table.Td ta="right">
                        <Amount e8s={part.amount} />
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Scroll>
          </details>
        )}
        <Group>
          <HowDoWeKnow proof={{ canister: model.canister, block: answer.block }} of="this answer" />
          <Button variant="default" onClick={() => saveAs(`receipt-${model.canister}-${answer.block}.cbor`, answer.receipt)}>
            Save the receipt
          </Button>
        </Group>
      </Stack>
    </div>
  );
}

function Probabilities({ output, classes }: { output: Tensor; classes: string[] }) {
  const best = output.values.indexOf(Math.max(...output.values));
  return (
    <div className={css.answers}>
      {output.values.map((value, i) => (
        <Fragment key={i}>
          <span data-best={i === best}>{classes[i] ?? `class ${i}`}</span>
          <i data-best={i === best} style={{ width: `${Math.max(0.5, Math.min(100, value * 100))}%` }} />
          <span data-best={i === best}>{(100 * value).toFixed(2)} %</span>
        </Fragment>
      ))}
    </div>
  );
}

/** Over all outputs; null when they cannot be compared. */
export function largestDifference(got: Tensor[], expected: Tensor[]): number | null {
  let worst = 0;
  for (const wanted of expected) {
    const given = got.find((tensor) => tensor.name === wanted.name);
    if (!given || given.values.length !== wanted.values.length) return null;
    wanted.values.forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - (given.values[i] ?? Number.NaN)));
    });
  }
  return Number.isNaN(worst) ? null : worst;
}
