/// Pages of a list: as much as fits an answer. Whoever wants more goes on behind the last that came.
import List "mo:core/List";

module {
  let maxBytes = 1_500_000; // a query's answer has at most 3 MiB

  /// From `items`, in order, as many as have `maxBytes` together; at least one, so that nothing is ever out of reach.
  public func fitting<T>(items : [T], sizeBytes : T -> Nat) : [T] {
    let page = List.empty<T>();
    var bytes = 0;
    for (item in items.vals()) {
      bytes += sizeBytes(item);
      if (bytes > maxBytes and List.size(page) > 0) return List.toArray(page);
      List.add(page, item);
    };
    List.toArray(page);
  };
};
