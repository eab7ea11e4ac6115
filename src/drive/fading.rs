//! Locks that outlive their processes for a moment: a process that was killed is seen to be gone
//! while other threads of it still hold its files. Knows no clock and no locks; it is told how to
//! pause and how to look.

/// How often a lock is looked at again before it is taken for that of another process.
const LOOKS: u32 = 20;

/// Returns those that are held for longer than a process takes to end. All are waited for at once.
///
/// # Errors
///
/// Those of a look.
pub(super) async fn outlasting<T, E>(
    mut held: Vec<T>,
    is_held: impl Fn(&T) -> Result<bool, E>,
    mut pause: impl AsyncFnMut(),
) -> Result<Vec<T>, E> {
    for _ in 0..LOOKS {
        held = still(held, &is_held)?;
        if held.is_empty() {
            return Ok(held);
        }
        pause().await;
    }
    still(held, &is_held)
}

fn still<T, E>(held: Vec<T>, is_held: impl Fn(&T) -> Result<bool, E>) -> Result<Vec<T>, E> {
    let look = |one| Ok(is_held(&one)?.then_some(one));
    held.into_iter().filter_map(|one| look(one).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Waits for locks that are free after so many pauses; returns those that outlast it, and how
    /// many pauses it took.
    async fn wait(free_after: &[u32]) -> (Vec<u32>, u32) {
        let pauses = Cell::new(0);
        let is_held = |after: &u32| Ok::<_, ()>(pauses.get() < *after);
        let pause = async || pauses.set(pauses.get() + 1);
        let outlasting = outlasting(free_after.to_vec(), is_held, pause).await.unwrap();
        (outlasting, pauses.get())
    }

    #[tokio::test]
    async fn many_locks_take_no_longer_than_one() {
        assert_eq!(wait(&[u32::MAX]).await, (vec![u32::MAX], LOOKS));
        assert_eq!(wait(&[u32::MAX; 50]).await, (vec![u32::MAX; 50], LOOKS));
    }

    #[tokio::test]
    async fn what_is_free_in_time_is_not_waited_for_any_longer() {
        assert_eq!(wait(&[]).await, (vec![], 0));
        assert_eq!(wait(&[0, 0]).await, (vec![], 0));
        assert_eq!(wait(&[3, 1]).await, (vec![], 3));
        assert_eq!(wait(&[2, LOOKS + 1, LOOKS]).await, (vec![LOOKS + 1], LOOKS));
    }

    #[tokio::test]
    async fn a_lock_that_cannot_be_looked_at_is_an_error() {
        let failed = outlasting(vec![1, 2], |_| Err("no such folder"), async || ()).await;
        assert_eq!(failed, Err("no such folder"));
    }
}
