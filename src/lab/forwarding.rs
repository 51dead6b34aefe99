//! IP forwarding of a node.

use super::error::LabError;
use super::node::LabNode;
use super::sysctl;
use crate::model::Family;

impl LabNode {
    /// Enables or disables forwarding on every interface of the node (`inet_forward_change`,
    /// `addrconf_forward_change`).
    ///
    /// # Errors
    /// [`LabError::Sysctl`].
    pub(crate) async fn set_forwarding(
        &self,
        family: Family,
        forwards: bool,
    ) -> Result<(), LabError> {
        let setting = (
            format!("{family}/conf/all/forwarding"),
            u8::from(forwards).to_string(),
        );
        let node = self.node.to_string();
        self.namespace
            .run(move || sysctl::write(&node, &setting))
            .await
    }
}
