// A chart has its numbers as a table, one key away.
import { Button, Table } from '@mantine/core';
import { useId, useState, type ReactNode } from 'react';
import { Scroll } from '../layout';

export interface WithTableProps {
  /** What the numbers are about. */
  caption: string;
  head: string[];
  rows: ReactNode[][];
  children: ReactNode;
}

export function WithTable({ caption, head, rows, children }: WithTableProps) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <div>
      {children}
      <Button variant="subtle" size="compact-xs" mt={10} aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
        {open ? 'Hide the numbers' : 'Show the numbers as a table'}
      </Button>
      <div id={id} hidden={!open}>
        <Scroll label={caption}>
          <Table mt="xs" aria-label={caption}>
            <Table.Thead>
              <Table.Tr>
                {head.map((name) => (
                  <Table.Th key={name}>{name}</Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map((cells, i) => (
                <Table.Tr key={i}>
                  {cells.map((cell, j) => (
                    <Table.Td key={j}>{cell}</Table.Td>
                  ))}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Scroll>
      </div>
    </div>
  );
}
